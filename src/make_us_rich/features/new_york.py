"""The season class of an hour: its hour of the week by New York's clock, with the holidays of its stock exchange."""

from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.holiday import (
    AbstractHolidayCalendar,
    GoodFriday,
    Holiday,
    USLaborDay,
    USMartinLutherKingJr,
    USMemorialDay,
    USPresidentsDay,
    USThanksgivingDay,
    nearest_workday,
    sunday_to_monday,
)

CLASSES = 168
"""Hours of a week, from 0 on Monday at midnight; a holiday counts as a Sunday."""
SUNDAY = 6


class StockExchangeCalendar(AbstractHolidayCalendar):
    """Days on which the New York Stock Exchange is closed, apart from weekends."""

    rules = [  # noqa: RUF012
        Holiday("New Year's Day", month=1, day=1, observance=sunday_to_monday),
        USMartinLutherKingJr,
        USPresidentsDay,
        GoodFriday,
        USMemorialDay,
        Holiday("Juneteenth", month=6, day=19, start_date="2022-06-19", observance=nearest_workday),
        Holiday("Independence Day", month=7, day=4, observance=nearest_workday),
        USLaborDay,
        USThanksgivingDay,
        Holiday("Christmas Day", month=12, day=25, observance=nearest_workday),
    ]


@cache
def holidays_of(year: int) -> NDArray[np.datetime64]:
    """Holidays of a year, ``datetime64[D]``."""
    days = StockExchangeCalendar().holidays(f"{year}-01-01", f"{year}-12-31")
    return days.to_numpy().astype("datetime64[D]")


def season_classes(opened: NDArray[np.datetime64]) -> NDArray[np.uint8]:
    """Class of each hour, 0 to 167, from its open time in UTC, ``[row]``."""
    local = pd.DatetimeIndex(opened).tz_localize("UTC").tz_convert("America/New_York").tz_localize(None).to_numpy()
    days = local.astype("datetime64[D]")
    hour = (local - days).astype("timedelta64[h]").astype(np.int64)
    years = np.unique(days.astype("datetime64[Y]").astype(np.int64) + 1970)
    holidays = [day for year in years for day in holidays_of(int(year))]
    closed = np.isin(days, np.array(holidays, "datetime64[D]"))
    # 1970-01-01, the day 0, was a Thursday.
    weekday = np.where(closed, SUNDAY, (days.astype(np.int64) + 3) % 7)
    classes: NDArray[np.uint8] = (24 * weekday + hour).astype(np.uint8)
    return classes
