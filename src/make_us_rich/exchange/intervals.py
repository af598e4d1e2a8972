"""The intervals that Binance offers."""

from datetime import timedelta

from make_us_rich.domain.errors import ParameterError

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_NAMES = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")

INTERVALS: dict[str, timedelta] = {
    name: _UNITS[name[-1]] * int(name[:-1]) if name[-1] in _UNITS else timedelta(days=28) for name in _NAMES
}
"""Name to length; a month has its shortest, 28 days."""


def length_of(interval: str) -> timedelta:
    """The length of an interval.

    Raises:
        ParameterError: Binance has no such interval.
    """
    if interval not in INTERVALS:
        raise ParameterError(f"{interval!r} is no interval of Binance; choose one of {', '.join(INTERVALS)}")
    return INTERVALS[interval]
