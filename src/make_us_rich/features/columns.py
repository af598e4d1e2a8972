"""Columns of klines as arrays, and what several feature sets make of them."""

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Column = NDArray[np.float64]
"""One value a candle, ``[row]``."""
FLOOR = 1e-4
"""An hourly volatility (log return) of one basis point: smaller ones are coarse ticks and hours without a trade."""


def column_of(klines: pd.DataFrame, name: str) -> Column:
    """A column as floating-point numbers."""
    return klines[name].to_numpy(np.float64)


def hourly_range(klines: pd.DataFrame) -> Column:
    """``log(high / low) / sqrt(4 log 2)``, an hourly volatility: Parkinson 1980, Journal of Business 53."""
    ranges: Column = np.log(column_of(klines, "high") / column_of(klines, "low")) / np.sqrt(4 * np.log(2))
    return ranges


def day_of_week(times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """0 on Monday to 6 on Sunday, of times in UTC."""
    # 1970-01-01, the day 0, was a Thursday.
    return (times.astype("datetime64[D]").astype(np.int64) + 3) % 7


def log_floored(volatility: Column) -> Column:
    """``log(sqrt(v^2 + FLOOR^2))``, finite for a volatility of 0."""
    return 0.5 * np.log(volatility**2 + FLOOR**2)


def log_range(klines: pd.DataFrame) -> Column:
    """Log of the hourly range, floored; see `hourly_range` and `log_floored`."""
    return log_floored(hourly_range(klines))


def trailing_mean(values: Column, count: int, step: int = 1) -> Column:
    """Mean of this row and the ``count - 1`` before it, ``step`` rows apart; NaN until there are as many, ``[row]``.

    Each window is summed by itself, as in the feature set ``returns``, for the same reason.
    """
    width = (count - 1) * step + 1
    means = np.full(len(values), np.nan)
    if len(values) >= width:
        means[width - 1 :] = sliding_window_view(values, width)[:, ::step].mean(axis=-1)
    return means


def lagged(values: Column, rows: int) -> Column:
    """The values of so many rows before, NaN where there are none, ``[row]``."""
    return np.concatenate((np.full(rows, np.nan), values))[: len(values)]
