"""Columns of klines as arrays, and what several feature sets make of them."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Column = NDArray[np.float64]
"""One value a candle, ``[row]``."""


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
