"""The request weight that all processes of a machine together may use in a minute, and refusals."""

import fcntl
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ValidationError

BINANCE_WEIGHT = 6000
"""Binance's limit for an address in a minute."""

MIN_WEIGHT = 10
WINDOW_SECONDS = 62
"""A minute, and a margin for the time that a request takes to arrive."""

MAX_REFUSAL_SECONDS = 3 * 86_400
"""Binance's longest ban; a later end means that the clock has been set back since."""

FOLDER_VARIABLE = "MAKE_US_RICH_RUNTIME"
"""Environment variable with the folder of the counts; by default one in the system's temporary folder."""


class _State(BaseModel):
    """Shared by the processes: weight by second of the last minute, and a refusal's HTTP status and end."""

    weights: Counter[int] = Counter()
    refused: tuple[int, float] | None = None


class Budget:
    """Counts the request weight of the last minute, in a file that all processes of this user share.

    Binance counts by the minute of its own clock. So that no minute of anybody's clock holds more than the limit,
    none of the last 62 seconds may. A refusal (HTTP 403, 418, 429) holds for the address until it ends, and is shared
    in the same way.

    Args:
        url: The exchange's address; each has a count of its own.
        limit: Request weight a minute.
        folder: Folder of the counts, on a disk of this machine.
        clock: Seconds since 1970.
        sleep: Waits for a number of seconds.
    """

    def __init__(
        self,
        url: str,
        limit: int = BINANCE_WEIGHT,
        *,
        folder: Path | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        default = f"{tempfile.gettempdir()}/make-us-rich-{os.getuid()}"
        folder = folder or Path(os.environ.get(FOLDER_VARIABLE) or default)
        self._path = folder / f"weight-{sha256(url.rstrip('/').encode()).hexdigest()[:16]}.json"
        self._limit, self._clock, self.sleep = limit, clock, sleep

    def now(self) -> datetime:
        """This machine's time, UTC."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def spend(self, weight: int) -> None:
        """Count a request before it is sent; wait until it fits."""
        while True:
            with self._state() as state:
                if not state.weights or state.weights.total() + weight <= self._limit:
                    state.weights[int(self._clock())] += weight
                    return
                seconds = min(state.weights) + WINDOW_SECONDS - self._clock()
            self.sleep(max(0.05, seconds))

    def learn(self, used: str | None) -> None:
        """Take over the exchange's own count of this minute (its header ``x-mbx-used-weight-1m``).

        Others behind the same address may have asked as well.
        """
        if used is not None and used.isdecimal():
            with self._state() as state:
                state.weights[int(self._clock())] += max(0, int(used) - state.weights.total())

    def refuse(self, status: int, seconds: float) -> None:
        """Note that the exchange has refused this address with an HTTP status for so many seconds."""
        with self._state() as state:
            end = self._clock() + seconds
            if state.refused is None or end > state.refused[1]:
                state.refused = (status, end)

    def refusal(self, max_wait: float) -> tuple[int, float] | None:
        """Wait for a refusal to end, if that takes at most ``max_wait`` seconds.

        Returns:
            HTTP status and seconds left of one that takes longer; None without any.
        """
        with self._state() as state:
            status, end = state.refused or (0, 0.0)
        seconds = end - self._clock()
        if seconds > max_wait:
            return status, seconds
        if seconds > 0:
            self.sleep(seconds)
        return None

    @contextmanager
    def _state(self) -> Iterator[_State]:
        """The shared state; stored again, under the kernel's lock, which ends with the process."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            try:
                state = _State.model_validate_json(file.read())
            except ValidationError:
                state = _State()  # New, or of a process that was killed while it wrote: right again in a minute.
            now = self._clock()
            recent = {at: weight for at, weight in state.weights.items() if now - WINDOW_SECONDS < at <= now}
            state.weights = Counter(recent)
            if state.refused and not now < state.refused[1] <= now + MAX_REFUSAL_SECONDS:
                state.refused = None
            yield state
            file.truncate(0)
            file.write(state.model_dump_json())
