"""The feature sets of the HAR models: ``har`` and, for networks, ``har_sequence``.

The season class of an hour is its hour of the week by New York's clock, with the holidays of its stock exchange.
"""

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

from make_us_rich.domain.forecast import HORIZON
from make_us_rich.features.base import (
    HOUR,
    Column,
    FeatureSet,
    column_of,
    day_of_week,
    hourly_range,
    lagged,
    log_floored,
    naive_utc,
    position_in_run,
    trailing_mean,
)

DAY, WEEK = 24, 168
SPANS: tuple[int, ...] = (1, 4, 12, 24, 72, 168, 720)
"""Hours over which the log range is averaged, from an hour to a month."""
WARMUP = max(SPANS) - 1
PROFILE_DAYS = 30
"""Days whose same hour is averaged in the profile."""
WEEKEND_BLOCK = 4
"""Hours of a day that share one weekend effect."""
PLACE_SPANS = (24, 168)
"""Hours whose range locates the last close."""
BENDS = (("1h", "24h"), ("4h", "24h"), ("24h", "168h"), ("168h", "720h"), ("1h", "profile"))
"""Pairs of log ranges whose squared difference is a feature."""
CLASSES = 168
"""Hours of a week, from 0 on Monday at midnight; a holiday counts as a Sunday."""
SUNDAY = 6
SEASON_STEPS = range(-71, HORIZON + 1)
"""Hours after the candle, whose season class is a feature: three days back, and the whole horizon ahead."""

HAR_COLUMNS: tuple[str, ...] = (
    *(f"log_range_{hours}h" for hours in SPANS),
    "log_range_profile",
    "volume_surge",
    "log_move_1h",
    "log_move_24h",
    "fall_24h",
    *(f"hour_{hour}" for hour in range(1, 24)),
    *(f"day_{day}" for day in range(1, 7)),
    *(f"weekend_{hour}h" for hour in range(WEEKEND_BLOCK, 24, WEEKEND_BLOCK)),
    *(f"place_{hours}h" for hours in PLACE_SPANS),
    *(f"place_{hours}h_squared" for hours in PLACE_SPANS),
    *(f"bend_{short}_{long}" for short, long in BENDS),
)
SEASON_COLUMNS: tuple[str, ...] = tuple(f"season_class_{step:+d}h" for step in SEASON_STEPS)
SEQUENCE_COLUMNS: tuple[str, ...] = ("scaled_return", "relative_range")


def har(klines: pd.DataFrame) -> dict[str, NDArray[np.generic]]:
    """Log range, its profile, volume, moves, place, and calendar of the hours around, one value a candle.

    Every logarithm of a volatility is ``log(sqrt(v^2 + FLOOR^2))``, finite for a candle that did not move.

    - ``log_range_{1..720}h``: mean over the last hours of the log of ``log(high / low) / sqrt(4 log 2)``, an
      hourly volatility (Parkinson 1980, "The Extreme Value Method for Estimating the Variance of the Rate of
      Return", Journal of Business 53). Averages over several spans: Corsi 2009, "A Simple Approximate Long-Memory
      Model of Realized Volatility", Journal of Financial Econometrics 7.
    - ``log_range_profile``: mean log range of the coming hour of the day over the last 30 days.
    - ``volume_surge``: log(1 + volume) less its mean over the last week.
    - ``log_move_{1,24}h``: log of |log(close / close n hours before)| / sqrt(n).
    - ``fall_24h``: log(close / close 24 hours before) / sqrt(24) where it is negative, otherwise 0, in units of the
      week's mean range: volatility rises more after a fall (Black 1976, "Studies of Stock Price Volatility Changes").
    - ``hour_{1..23}``, ``day_{1..6}``: 1 if the coming hour opens in that hour (UTC), or on that day of the week
      (Monday is 0), otherwise 0.
    - ``weekend_{4..20}h``: 1 if the coming hour opens on a weekend within the four hours from that one on.
    - ``place_{24,168}h``: where the log close lies between the lowest low (0) and the highest high (1) of the last
      hours, 0.5 if they are equal; ``place_*_squared``: the square of its distance from 0.5.
    - ``bend_*``: squared differences of log ranges.
    - ``season_class_{-71..+24}h``: class of the hour that opens so many hours after the candle, see
      ``season_classes``.
    """
    hourly, log_close = log_floored(hourly_range(klines)), np.log(column_of(klines, "close"))
    log_volume = np.log1p(column_of(klines, "volume"))
    hour_move, day_move = ((log_close - lagged(log_close, hours)) / np.sqrt(hours) for hours in (1, DAY))
    computed = {
        **{f"log_range_{hours}h": trailing_mean(hourly, hours) for hours in SPANS},
        # The same hour as the coming one was last seen DAY - 1 rows ago.
        "log_range_profile": lagged(trailing_mean(hourly, PROFILE_DAYS, step=DAY), DAY - 1),
        "volume_surge": log_volume - trailing_mean(log_volume, WEEK),
        "log_move_1h": log_floored(hour_move),
        "log_move_24h": log_floored(day_move),
        "fall_24h": np.minimum(day_move, 0) / np.exp(trailing_mean(hourly, WEEK)),
    }
    for short, long in BENDS:
        computed[f"bend_{short}_{long}"] = (computed[f"log_range_{short}"] - computed[f"log_range_{long}"]) ** 2
    for hours in PLACE_SPANS:
        place = _place(klines, hours)
        computed |= {f"place_{hours}h": place, f"place_{hours}h_squared": (place - 0.5) ** 2}
    opened = naive_utc(klines["timestamp"])
    complete = position_in_run(opened) >= WARMUP
    prices = {name: np.where(complete, values, np.nan) for name, values in computed.items()}
    return {**prices, **_dummies_of(opened + HOUR), **_season_of(opened)}


def _place(klines: pd.DataFrame, hours: int) -> Column:
    """Where the log close lies between the lowest low (0) and the highest high (1) of the last hours."""
    low = np.log(klines["low"].rolling(hours).min().to_numpy(np.float64))
    high = np.log(klines["high"].rolling(hours).max().to_numpy(np.float64))
    span = high - low
    still = span == 0
    place: Column = np.where(still, 0.5, (np.log(column_of(klines, "close")) - low) / np.where(still, 1, span))
    return place


def _season_of(opened: NDArray[np.datetime64]) -> dict[str, NDArray[np.uint8]]:
    """Season classes of the hours around each candle, one column for each step."""
    if not len(opened):
        return {name: np.zeros(0, np.uint8) for name in SEASON_COLUMNS}
    first = opened[0] + SEASON_STEPS[0] * HOUR
    classes = season_classes(np.arange(first, opened[-1] + (SEASON_STEPS[-1] + 1) * HOUR, HOUR))
    at = (opened - opened[0]) // HOUR
    return {name: classes[at + index] for index, name in enumerate(SEASON_COLUMNS)}


def _dummies_of(coming: NDArray[np.datetime64]) -> dict[str, NDArray[np.bool_]]:
    hour, day = coming.astype("datetime64[h]").astype(np.int64) % 24, day_of_week(coming)
    block = np.where(day >= 5, hour - hour % WEEKEND_BLOCK, -1)
    return {
        **{f"hour_{value}": hour == value for value in range(1, 24)},
        **{f"day_{value}": day == value for value in range(1, 7)},
        **{f"weekend_{v}h": block == v for v in range(WEEKEND_BLOCK, 24, WEEKEND_BLOCK)},
    }


def har_sequence(klines: pd.DataFrame) -> dict[str, NDArray[np.generic]]:
    """The columns of ``har``, and two that networks read as a sequence, one value a candle.

    - ``scaled_return``: log(close / close of the hour before), in units of the week's mean range.
    - ``relative_range``: log range of the hour less the week's mean log range.
    """
    computed = har(klines)
    hourly_return = np.diff(np.log(column_of(klines, "close")), prepend=np.nan)
    hour, week = (computed[name].astype(np.float64) for name in ("log_range_1h", "log_range_168h"))
    return {**computed, "scaled_return": hourly_return / np.exp(week), "relative_range": hour - week}


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
    weekday = np.where(closed, SUNDAY, day_of_week(days))
    classes: NDArray[np.uint8] = (24 * weekday + hour).astype(np.uint8)
    return classes


HAR = FeatureSet("har", (*HAR_COLUMNS, *SEASON_COLUMNS), WARMUP, har)
HAR_SEQUENCE = FeatureSet("har_sequence", (*HAR.columns, *SEQUENCE_COLUMNS), WARMUP, har_sequence)
