"""The original feature set: the candle's calendar and its prices."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from make_us_rich.domain.klines import PRICE_COLUMNS
from make_us_rich.features.columns import day_of_week
from make_us_rich.features.hours import naive_utc

COLUMNS: tuple[str, ...] = (
    "day_of_week",
    "day_of_month",
    "week_of_year",
    "month_of_year",
    *PRICE_COLUMNS,
    "close_change",
)
WARMUP = 0


def calendar_ohlc(klines: pd.DataFrame) -> dict[str, NDArray[np.generic]]:
    """Calendar of the open time (UTC) and prices (quote currency), one value a candle.

    - ``day_of_week``: 0 on Monday to 6 on Sunday.
    - ``day_of_month``: 1 to 31.
    - ``week_of_year``: ISO 8601, 1 to 53.
    - ``month_of_year``: 1 to 12.
    - ``open``, ``high``, ``low``, ``close``: as traded.
    - ``close_change``: close - open.
    """
    prices = {price: klines[price].to_numpy() for price in PRICE_COLUMNS}
    return {
        **_calendar(naive_utc(pd.DatetimeIndex(klines["timestamp"]))),
        **prices,
        "close_change": prices["close"] - prices["open"],
    }


def _calendar(opened: NDArray[np.datetime64]) -> dict[str, NDArray[np.generic]]:
    days = opened.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    weekday = day_of_week(days)
    thursdays: NDArray[np.datetime64] = days + (3 - weekday).astype("timedelta64[D]")
    return {
        "day_of_week": weekday,
        "day_of_month": (days - months).astype(np.int64) + 1,
        "week_of_year": _iso_week(thursdays),
        "month_of_year": months.astype(np.int64) % 12 + 1,
    }


def _iso_week(thursdays: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """ISO 8601: a week has the number of its Thursday within that Thursday's year."""
    days_since_new_year = thursdays - thursdays.astype("datetime64[Y]")
    weeks: NDArray[np.int64] = days_since_new_year.astype(np.int64) // 7 + 1
    return weeks
