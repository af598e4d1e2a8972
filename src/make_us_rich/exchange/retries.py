"""Asking again, a bounded number of times."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from make_us_rich.domain.errors import MakeUsRichError

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Failure:
    """Why one request has failed, and what may be done about it.

    Attributes:
        error: What the user reads if it stays so.
        tries: How often such a request is tried at most; 1 for what cannot get better.
        retry_after: Seconds that the exchange has asked to wait, or None.
    """

    error: MakeUsRichError
    tries: int = 4
    retry_after: float | None = None


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Retries:
    """How patient the client is.

    Attributes:
        tries: Requests in all, the first one included.
        first_wait: Seconds before the second one; doubled each time.
        longest_wait: Seconds that the exchange may ask to wait; if more, the client gives up at once.
        sleep: Waits so many seconds.
        clock: This machine's time (UTC), to say when to try again.
    """

    tries: int = 4
    first_wait: float = 0.5
    longest_wait: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], datetime] = _utc_now

    def ask(
        self,
        request: Callable[[], Answer],
        caught: tuple[type[Exception], ...],
        diagnose: Callable[[Exception], Failure],
    ) -> Answer:
        """The answer to a request, tried again as long as its failures allow.

        Args:
            request: Asks once.
            caught: What it raises when it fails.
            diagnose: Says what a failure means.

        Raises:
            MakeUsRichError: The error of the last failure.
        """
        tried = 0
        while True:
            tried += 1
            try:
                return request()
            except caught as exc:
                failure = diagnose(exc)
                if self._give_up(failure, tried):
                    raise failure.error from exc
            self.sleep(max(self.first_wait * 2 ** (tried - 1), failure.retry_after or 0.0))

    def _give_up(self, failure: Failure, tried: int) -> bool:
        return tried >= min(self.tries, failure.tries) or (failure.retry_after or 0.0) > self.longest_wait
