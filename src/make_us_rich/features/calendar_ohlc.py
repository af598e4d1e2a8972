"""The original feature set: the candle's calendar and its prices."""

import pandas as pd

from make_us_rich.domain.klines import PRICE_COLUMNS

COLUMNS: tuple[str, ...] = (
    "day_of_week",
    "day_of_month",
    "week_of_year",
    "month_of_year",
    *PRICE_COLUMNS,
    "close_change",
)
WARMUP = 0


def calendar_ohlc(klines: pd.DataFrame) -> pd.DataFrame:
    """Calendar of the open time (UTC) and prices (quote currency), one row a candle.

    - ``day_of_week``: 0 on Monday to 6 on Sunday.
    - ``day_of_month``: 1 to 31.
    - ``week_of_year``: ISO 8601, 1 to 53.
    - ``month_of_year``: 1 to 12.
    - ``open``, ``high``, ``low``, ``close``: as traded.
    - ``close_change``: close - open.
    """
    opened = klines["timestamp"].dt
    columns = {
        "day_of_week": opened.day_of_week,
        "day_of_month": opened.day,
        "week_of_year": opened.isocalendar()["week"],
        "month_of_year": opened.month,
        **{price: klines[price] for price in PRICE_COLUMNS},
        "close_change": klines["close"] - klines["open"],
    }
    return pd.DataFrame(columns)
