"""The feature set of HAR-V: how far the price moved over many spans, and what hour comes next."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from make_us_rich.features.columns import (
    Column,
    column_of,
    day_of_week,
    lagged,
    log_floored,
    log_range,
    trailing_mean,
)
from make_us_rich.features.hours import naive_utc, position_in_run

SPANS: tuple[int, ...] = (1, 4, 12, 24, 72, 168, 720)
"""Hours over which the log range is averaged: from an hour to a month."""
PROFILE_DAYS = 30
"""Days whose same hour makes the profile."""
BLOCK = 4
"""Hours of a day that share one weekend effect."""

COLUMNS: tuple[str, ...] = (
    *(f"log_range_{hours}h" for hours in SPANS),
    "log_range_profile",
    "volume_surge",
    "log_move_1h",
    "log_move_24h",
    "fall_24h",
    *(f"hour_{hour}" for hour in range(1, 24)),
    *(f"day_{day}" for day in range(1, 7)),
    *(f"weekend_{hour}h" for hour in range(BLOCK, 24, BLOCK)),
)
WARMUP = max(SPANS) - 1

DAY, WEEK = 24, 168


def har(klines: pd.DataFrame) -> dict[str, Column]:
    """Log range, its profile, volume, moves, and dummies of the coming hour, one value a candle.

    Every logarithm of a volatility is ``log(sqrt(v^2 + FLOOR^2))``, so that a candle that did not move is a
    number, not minus infinity.

    - ``log_range_{1..720}h``: mean over the last hours of the log of ``log(high / low) / sqrt(4 log 2)``, an
      hourly volatility (Parkinson 1980, "The Extreme Value Method for Estimating the Variance of the Rate of
      Return", Journal of Business 53). Averages over several spans: Corsi 2009, "A Simple Approximate Long-Memory
      Model of Realized Volatility", Journal of Financial Econometrics 7.
    - ``log_range_profile``: mean log range of the coming hour of the day over the last 30 days.
    - ``volume_surge``: log(1 + volume) less its mean over the last week.
    - ``log_move_{1,24}h``: log of |log(close / close n hours before)| / sqrt(n).
    - ``fall_24h``: log(close / close 24 hours before) / sqrt(24) where it is negative, in units of the week's mean
      range: volatility rises more after a fall (Black 1976, "Studies of Stock Price Volatility Changes").
    - ``hour_{1..23}``, ``day_{1..6}``: 1 where the coming hour opens in that hour (UTC), or on that day of the week
      (Monday is 0), otherwise 0.
    - ``weekend_{4..20}h``: 1 where the coming hour opens on a weekend within the four hours from that one on:
      weekends do not open as working days do.
    """
    opened = naive_utc(pd.DatetimeIndex(klines["timestamp"]))
    position = position_in_run(opened)
    columns = {**_ranges(klines), **_activity(klines), **_moves(klines)}
    complete = {name: np.where(position >= WARMUP, values, np.nan) for name, values in columns.items()}
    return complete | _calendar(opened + np.timedelta64(1, "h"))


def _ranges(klines: pd.DataFrame) -> dict[str, Column]:
    hourly = log_range(klines)
    # The coming hour's profile begins at the same hour a day before it, which is DAY - 1 rows ago.
    profile = lagged(trailing_mean(hourly, PROFILE_DAYS, step=DAY), DAY - 1)
    spans = {f"log_range_{hours}h": trailing_mean(hourly, hours) for hours in SPANS}
    return {**spans, "log_range_profile": profile}


def _activity(klines: pd.DataFrame) -> dict[str, Column]:
    log_volume = np.log1p(column_of(klines, "volume"))
    return {"volume_surge": log_volume - trailing_mean(log_volume, WEEK)}


def _moves(klines: pd.DataFrame) -> dict[str, Column]:
    log_close = np.log(column_of(klines, "close"))
    hour, day = ((log_close - lagged(log_close, hours)) / np.sqrt(hours) for hours in (1, DAY))
    week = np.exp(trailing_mean(log_range(klines), WEEK))
    return {
        "log_move_1h": log_floored(hour),
        "log_move_24h": log_floored(day),
        "fall_24h": np.minimum(day, 0) / week,
    }


def _calendar(coming: NDArray[np.datetime64]) -> dict[str, Column]:
    hours = coming.astype("datetime64[h]").astype(np.int64)
    hour, day = hours % 24, day_of_week(coming)
    blocks = np.where(day >= 5, hour - hour % BLOCK, -1)
    return {
        **{f"hour_{value}": (hour == value).astype(np.float64) for value in range(1, 24)},
        **{f"day_{value}": (day == value).astype(np.float64) for value in range(1, 7)},
        **{f"weekend_{value}h": (blocks == value).astype(np.float64) for value in range(BLOCK, 24, BLOCK)},
    }
