"""The kline schema (the 12 columns of a candle, declared once), intervals, and times as milliseconds since 1970."""

from datetime import UTC, datetime, timedelta

from make_us_rich.domain.errors import ParameterError

INTERVAL = "1h"
HOUR = timedelta(hours=1)
HOUR_MS = 3_600_000

_UNIT_MS = {"s": 1_000, "m": 60_000, "h": HOUR_MS, "d": 24 * HOUR_MS}
_FIXED = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d")
INTERVAL_MS: dict[str, int] = {name: int(name[:-1]) * _UNIT_MS[name[-1]] for name in _FIXED}
"""Binance's intervals that begin at multiples of their length since 1970, in milliseconds."""
INTERVALS: tuple[str, ...] = (*INTERVAL_MS, "1w", "1M")
"""All intervals of Binance; a week begins on Monday."""

_TIME = "datetime64[ms, UTC]"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

KLINE_DTYPES: dict[str, str] = {
    "timestamp": _TIME,
    "open": "float64",
    "high": "float64",
    "low": "float64",
    "close": "float64",
    "volume": "float64",
    "close_time": _TIME,
    "quote_av": "float64",
    "trades": "int64",
    "tb_base_av": "float64",
    "tb_quote_av": "float64",
    "ignore": "float64",
}
"""Column to pandas dtype, in the exchange's order. ``timestamp`` is the open time; prices and ``*quote_av``
are in quote currency, ``volume`` and ``tb_base_av`` in base currency; ``trades`` counts."""

KLINE_COLUMNS: tuple[str, ...] = tuple(KLINE_DTYPES)
PRICE_COLUMNS: tuple[str, ...] = ("open", "high", "low", "close")


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 UTC, exact.

    Raises:
        ParameterError: The moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ParameterError(f"{moment.isoformat()} has no time zone; write it as {moment.isoformat()}+00:00")
    return (moment - _EPOCH) // _MS


def from_ms(number: int) -> datetime:
    """The moment (UTC) that is so many milliseconds after 1970."""
    return _EPOCH + number * _MS


def hour_of(moment: datetime) -> datetime:
    """The full hour at or before a moment."""
    return moment.replace(minute=0, second=0, microsecond=0)
