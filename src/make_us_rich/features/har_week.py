"""The feature set of HAR-V with its week: what the same hours did a day, a week and two weeks before."""

import numpy as np
import pandas as pd

from make_us_rich.features import har
from make_us_rich.features.columns import Column, lagged, log_range, trailing_mean

DAY, WEEK = 24, 168
WEEKS = (1, 2)
"""Whose same hours are averaged."""
DAY_SPANS = (1, 4)
"""Coming hours whose counterparts of a day before are averaged; of 12 they are what ``har`` sees already."""
WEEK_SPANS = (1, 4, 12, 24)
"""The same for the weeks before."""

COLUMNS: tuple[str, ...] = (
    *har.COLUMNS,
    *(f"day_ago_{hours}h" for hours in DAY_SPANS),
    *(f"weeks_ago_{hours}h" for hours in WEEK_SPANS),
)
WARMUP = har.WARMUP


def har_week(klines: pd.DataFrame) -> dict[str, Column]:
    """The columns of ``har``, and six more of a market that keeps a working week, one value a candle.

    - ``day_ago_{1,4}h``: mean log range of as many coming hours, a day before.
    - ``weeks_ago_{1,4,12,24}h``: the same a week and two weeks before, the mean of both.
    """
    seen, hourly = har.har(klines), log_range(klines)
    # Coming hours of a day before: the span ends at its last hour, which is DAY - hours rows ago.
    days = {f"day_ago_{hours}h": lagged(trailing_mean(hourly, hours), DAY - hours) for hours in DAY_SPANS}
    weeks = {f"weeks_ago_{hours}h": _weeks_ago(hourly, hours) for hours in WEEK_SPANS}
    complete = np.isfinite(seen["log_range_720h"])
    added = {name: np.where(complete, values, np.nan) for name, values in (days | weeks).items()}
    return seen | added


def _weeks_ago(values: Column, hours: int) -> Column:
    """Mean of so many coming hours as they were in each of the weeks before, ``[row]``."""
    mean = trailing_mean(values, hours)
    both: Column = np.mean([lagged(mean, WEEK * weeks - hours) for weeks in WEEKS], axis=0)
    return both
