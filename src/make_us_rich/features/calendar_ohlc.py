"""The original feature set: the candle's calendar and its prices."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from make_us_rich.domain.klines import PRICE_COLUMNS
from make_us_rich.features.base import FeatureSet, day_of_week, naive_utc

COLUMNS: tuple[str, ...] = (
    "day_of_week",
    "day_of_month",
    "week_of_year",
    "month_of_year",
    *PRICE_COLUMNS,
    "close_change",
)


def calendar_ohlc(klines: pd.DataFrame) -> dict[str, ArrayLike]:
    """Calendar of the open time (UTC) and prices (quote currency), one value a candle.

    - ``day_of_week``: 0 on Monday to 6 on Sunday.
    - ``day_of_month``: 1 to 31.
    - ``week_of_year``: ISO 8601, 1 to 53.
    - ``month_of_year``: 1 to 12.
    - ``open``, ``high``, ``low``, ``close``: as traded.
    - ``close_change``: close - open.
    """
    days = naive_utc(klines["timestamp"]).astype("datetime64[D]")
    months, weekday = days.astype("datetime64[M]"), day_of_week(days)
    # ISO 8601: the number of a week is that of its Thursday within that Thursday's year.
    thursdays = days + (3 - weekday).astype("timedelta64[D]")
    days_since_new_year = (thursdays - thursdays.astype("datetime64[Y]")).astype(np.int64)
    prices = {price: klines[price].to_numpy() for price in PRICE_COLUMNS}
    return {
        "day_of_week": weekday,
        "day_of_month": (days - months).astype(np.int64) + 1,
        "week_of_year": days_since_new_year // 7 + 1,
        "month_of_year": months.astype(np.int64) % 12 + 1,
        **prices,
        "close_change": prices["close"] - prices["open"],
    }


CALENDAR_OHLC = FeatureSet("calendar_ohlc", COLUMNS, warmup=0, compute=calendar_ohlc)
