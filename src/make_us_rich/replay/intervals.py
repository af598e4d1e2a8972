"""Binance's kline intervals and the bucket of each that a moment falls into."""

from datetime import UTC, datetime

from make_us_rich.domain.times import to_ms

_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000

FIXED: dict[str, int] = {
    "1s": _SECOND,
    "1m": _MINUTE,
    "3m": 3 * _MINUTE,
    "5m": 5 * _MINUTE,
    "15m": 15 * _MINUTE,
    "30m": 30 * _MINUTE,
    "1h": _HOUR,
    "2h": 2 * _HOUR,
    "4h": 4 * _HOUR,
    "6h": 6 * _HOUR,
    "8h": 8 * _HOUR,
    "12h": 12 * _HOUR,
    "1d": _DAY,
    "3d": 3 * _DAY,
}
"""Interval to length in milliseconds; their buckets are counted from 1970-01-01 00:00 UTC."""

_WEEK = 7 * _DAY
_FIRST_MONDAY = 4 * _DAY
INTERVALS: tuple[str, ...] = (*FIXED, "1w", "1M")


def builds(step: int, interval: str) -> bool:
    """Whether candles of ``step`` milliseconds add up to candles of an interval."""
    length = FIXED.get(interval, _DAY)
    return length >= step and length % step == 0


def bucket(interval: str, moment: int) -> tuple[int, int]:
    """The open time of the candle that a moment falls into and of the next one, in milliseconds UTC."""
    if interval == "1M":
        return _month(moment)
    if interval == "1w":
        start = moment - (moment - _FIRST_MONDAY) % _WEEK
        return start, start + _WEEK
    start = moment - moment % FIXED[interval]
    return start, start + FIXED[interval]


def _month(moment: int) -> tuple[int, int]:
    first = datetime.fromtimestamp(moment // 1000, UTC).replace(day=1, hour=0, minute=0, second=0)
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return to_ms(first), to_ms(following)
