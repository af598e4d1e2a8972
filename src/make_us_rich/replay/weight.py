"""Binance's request weight: counted per minute of real time, and enforced."""

import threading
import time
from collections.abc import Callable

DEFAULT_LIMIT = 6000
MINUTE = 60


class WeightMeter:
    """Counts the weight used since the minute began.

    Args:
        limit: Weight per minute that is answered.
        real: Seconds since 1970; real ones, however fast the virtual clock runs.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT, real: Callable[[], float] = time.time) -> None:
        self.limit = limit
        self._real = real
        self._minute = 0
        self._used = 0
        self._lock = threading.Lock()

    def use(self, weight: int) -> int:
        """Add a request's weight and tell what this minute's requests weigh together."""
        with self._lock:
            minute = int(self._real() // MINUTE)
            if minute != self._minute:
                self._minute, self._used = minute, 0
            self._used += weight
            return self._used

    def seconds_left(self) -> int:
        """Seconds until the count begins anew, at least 1."""
        return max(1, MINUTE - int(self._real() % MINUTE))
