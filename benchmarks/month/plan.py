"""What goes wrong in the month, when, and which alerts that should raise."""

from __future__ import annotations

from dataclasses import dataclass

from make_us_rich.alerts import AlertKind
from make_us_rich.replay import Faults

EVENTS = (
    "machine",  # nothing runs
    "exchange",  # it does not answer
    "storm",  # nine of ten questions are answered by 429
    "killed",  # the hour's first run is killed; the next try, a quarter of an hour later, is not
    "silent",  # the exchange answers and has no new candle
    "store",  # the folder of the store is gone
    "api",  # its process is killed, and started again when it is over
    "restart",  # everything is stopped and started
    "crash",  # the price moves five times as far; the market's candles have it
)


@dataclass(frozen=True)
class Event:
    """Something that goes wrong.

    Attributes:
        name: One of ``EVENTS``.
        start: Hours since the beginning.
        hours: How long.
        expected: Alerts that have to be raised.
        allowed: Alerts that may be raised, while it lasts and shortly afterwards.
        after: Hours afterwards in which they still may.
    """

    name: str
    start: int
    hours: int
    expected: tuple[AlertKind, ...] = ()
    allowed: tuple[AlertKind, ...] = ()
    after: int = 2

    def covers(self, hour: int) -> bool:
        """Whether it is going on."""
        return self.start <= hour < self.start + self.hours

    def accounts_for(self, kind: AlertKind, hour: int) -> bool:
        """Whether an alert of this kind in this hour is its doing."""
        return kind in (*self.expected, *self.allowed) and self.start <= hour < self.start + self.hours + self.after

    @property
    def faults(self) -> Faults | None:
        """Of the exchange."""
        rates = {"exchange": {"5xx": 1.0}, "storm": {"429": 0.9}, "silent": {"gaps": 1.0}}.get(self.name)
        return Faults(rates, seed=self.start, retry_after=0, everywhere=self.name == "exchange") if rates else None


def day(number: int, hour: int = 0) -> int:
    """Hours since the beginning."""
    return 24 * number + hour


FAILED, STALE, LATE = AlertKind.RUN_FAILED, AlertKind.CANDLES_STALE, AlertKind.RUN_LATE
MONTH = (
    Event("machine", day(2, 7), 5, allowed=(LATE,)),
    Event("exchange", day(4, 9), 6, expected=(FAILED, STALE)),
    Event("killed", day(5, 3), 2),
    Event("api", day(6, 12), 3, expected=(AlertKind.API_NOT_READY,)),
    Event("storm", day(8, 14), 4, allowed=(FAILED, STALE)),
    Event("restart", day(10, 6), 1),
    # The losses of two such days outweigh all others in the gate's test while they are among its folds: skill cannot be
    # distinguished from luck (p is 0.02 to 0.13 on every later day, before it 0.00002), no refit takes over from the
    # champion of day 14, and ten days later an alert reports that it is old. It is, until the end.
    Event("crash", day(12), 48, expected=(AlertKind.MODEL_OLD,), after=day(16)),
    Event("silent", day(15, 20), 6, expected=(STALE,)),
    Event("store", day(18, 2), 3, expected=(AlertKind.STORE_DOWN,), allowed=(FAILED, LATE, AlertKind.API_NOT_READY)),
    Event("exchange", day(21, 0), 2, expected=(FAILED,)),
    Event("killed", day(22, 15), 1),
    Event("restart", day(24, 18), 1),
    Event("machine", day(26, 1), 12, allowed=(LATE,)),
    Event("storm", day(28, 5), 6, allowed=(FAILED, STALE)),
)
SHORT = (
    Event("machine", 8, 3, allowed=(LATE,)),
    Event("exchange", 16, 2, expected=(FAILED,)),
    Event("silent", 26, 4, expected=(STALE,)),
    Event("restart", 36, 1),
    Event("store", 40, 2, expected=(AlertKind.STORE_DOWN,), allowed=(FAILED, LATE)),
)
"""Two days without other processes, for the tests."""
