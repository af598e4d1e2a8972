"""The virtual clock: starts at any moment and runs at any speed."""

import math
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.times import from_ms, to_ms


class Clock:
    """Virtual time, in UTC.

    Args:
        start: The virtual time at this moment; with a time zone.
        speed: Virtual seconds a real second: 1 is real time, 3600 an hour a second, 0 is frozen.
        real: Counts real seconds.

    Raises:
        ParameterError: The start has no time zone, or the speed is negative or not finite.
    """

    def __init__(self, start: datetime, speed: float = 1.0, real: Callable[[], float] = time.monotonic) -> None:
        if not math.isfinite(speed) or speed < 0:
            raise ParameterError(f"speed {speed} is out of range; give a number from 0 (frozen) upwards")
        self.speed = speed
        self._real = real
        self._lock = threading.Lock()
        self._anchor = to_ms(start), real()

    def now_ms(self) -> int:
        """Virtual time in milliseconds since 1970 UTC."""
        with self._lock:
            start, since = self._anchor
        return start + math.floor((self._real() - since) * self.speed * 1000)

    def now(self) -> datetime:
        """Virtual time, UTC."""
        return from_ms(self.now_ms())

    def jump(self, moment: datetime) -> None:
        """Travel to a moment, forwards or backwards; the speed stays."""
        target = to_ms(moment)
        with self._lock:
            self._anchor = target, self._real()

    def advance(self, span: timedelta) -> None:
        """Travel by a span, backwards where it is negative."""
        self.jump(self.now() + span)
