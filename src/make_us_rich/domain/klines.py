"""The kline schema: the 12 columns of a candle, declared once."""

from datetime import timedelta

INTERVAL = "1h"
HOUR = timedelta(hours=1)
HOUR_MS = 3_600_000

_TIME = "datetime64[ms, UTC]"

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
