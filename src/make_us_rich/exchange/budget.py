"""What all processes of a machine together may ask an exchange for in a minute."""

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

BINANCE_WEIGHT = 6000
"""Request weight that Binance answers an address in a minute."""

LEAST_WEIGHT = 10
WINDOW_SECONDS = 62
"""A minute, and what a request may be on its way."""

FOLDER_VARIABLE = "MAKE_US_RICH_RUNTIME"


class Budget:
    """Counts what was asked for in the last minute, in a file that all processes of this user share.

    Binance counts by the minute of its own clock. So that no minute of anybody's clock holds more than the limit,
    none of the last 62 seconds may.

    Args:
        url: The exchange's address; each has a count of its own.
        limit: Request weight a minute.
        folder: Where the counts are; on this machine, and gone with it.
        clock: Seconds since 1970.
        sleep: Waits so many seconds.
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
        self._limit = limit
        self._path = (folder or runtime_folder()) / f"weight-{sha256(url.rstrip('/').encode()).hexdigest()[:16]}.json"
        self._clock, self._sleep = clock, sleep

    def spend(self, weight: int) -> None:
        """Count a request before it is sent; wait until it fits."""
        while (seconds := self._try(weight)) > 0:
            self._sleep(seconds)

    def learn(self, used: str | None) -> None:
        """What the exchange says of this minute: others behind the same address may have asked as well.

        Args:
            used: Its header ``x-mbx-used-weight-1m``, or None.
        """
        if used is not None and used.isdecimal():
            with self._counts() as counts:
                missing = int(used) - sum(counts.values())
                if missing > 0:
                    self._add(counts, missing)

    def _try(self, weight: int) -> float:
        """Count it if it fits; else the seconds until something older is forgotten."""
        with self._counts() as counts:
            if not counts or sum(counts.values()) + weight <= self._limit:
                self._add(counts, weight)
                return 0.0
            return max(0.05, min(counts) + WINDOW_SECONDS - self._clock())

    def _add(self, counts: dict[int, int], weight: int) -> None:
        second = int(self._clock())
        counts[second] = counts.get(second, 0) + weight

    @contextmanager
    def _counts(self) -> Iterator[dict[int, int]]:
        """Weight by second, of the last minute; stored again, under the kernel's lock, which ends with the process."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            counts = self._recent(file)
            yield counts
            file.truncate(0)
            json.dump(counts, file)

    def _recent(self, file: IO[str]) -> dict[int, int]:
        file.seek(0)
        try:
            stored = json.load(file)
        except ValueError:  # New, or of a process that was killed while it wrote: a minute later it is right again.
            return {}
        now = self._clock()
        return {int(at): weight for at, weight in stored.items() if now - WINDOW_SECONDS < int(at) <= now}


def runtime_folder() -> Path:
    """A folder of this user on this machine: that of ``MAKE_US_RICH_RUNTIME``, else below the temporary one."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else Path(tempfile.gettempdir()) / f"make-us-rich-{os.getuid()}"
