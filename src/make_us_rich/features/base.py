"""What every feature set is built from: its description, columns of klines, and runs of contiguous hours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

HOUR = np.timedelta64(1, "h")
Column = NDArray[np.float64]
"""One value a candle, ``[row]``."""
FLOOR = 1e-4
"""Smallest hourly volatility (log return), one basis point: lower values are coarse ticks or hours without a trade."""


@dataclass(frozen=True)
class FeatureSet:
    """Features of each candle, computed from that candle and those before it.

    Attributes:
        name: Name in the configuration and in the manifest.
        columns: Names of the features, in the order of a model's input.
        warmup: Incomplete rows at the start of each run of contiguous hours. The last ``n`` rows need the candles of
            the last ``warmup + n`` hours, and no more.
        compute: From candles to one value a candle for each column, in any order.
    """

    name: str
    columns: tuple[str, ...]
    warmup: int
    compute: Callable[[pd.DataFrame], Mapping[str, ArrayLike]]

    def min_history(self, lookback: int) -> int:
        """Candles in a row that an input of ``lookback`` complete rows needs, warm-up included."""
        return lookback + self.warmup


def column_of(klines: pd.DataFrame, name: str) -> Column:
    """Return a column as a float64 array."""
    return klines[name].to_numpy(np.float64)


def hourly_range(klines: pd.DataFrame) -> Column:
    """``log(high / low) / sqrt(4 log 2)``, an hourly volatility: Parkinson 1980, Journal of Business 53."""
    ranges: Column = np.log(column_of(klines, "high") / column_of(klines, "low")) / np.sqrt(4 * np.log(2))
    return ranges


def log_floored(volatility: Column) -> Column:
    """``log(sqrt(v^2 + FLOOR^2))``, finite for a volatility of 0."""
    return 0.5 * np.log(volatility**2 + FLOOR**2)


def trailing_mean(values: Column, count: int, step: int = 1) -> Column:
    """Mean of this row and the ``count - 1`` before it, ``step`` rows apart; NaN until there are as many, ``[row]``.

    Each window is summed separately: a running sum would depend on where the series starts, and serving, which
    computes only the last candles, would differ from training.
    """
    width = (count - 1) * step + 1
    means = np.full(len(values), np.nan)
    if len(values) >= width:
        means[width - 1 :] = sliding_window_view(values, width)[:, ::step].mean(axis=-1)
    return means


def lagged(values: Column, rows: int) -> Column:
    """The values of ``rows`` rows before, NaN where there are none, ``[row]``."""
    return np.concatenate((np.full(rows, np.nan), values))[: len(values)]


def naive_utc(times: pd.Index | pd.Series) -> NDArray[np.datetime64]:
    """Aware times as numpy's ``datetime64[ms]``, in UTC, ``[row]``."""
    return pd.DatetimeIndex(times).tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ms]")


def day_of_week(times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """0 on Monday to 6 on Sunday, of times in UTC."""
    # 1970-01-01, the day 0, was a Thursday.
    return (times.astype("datetime64[D]").astype(np.int64) + 3) % 7


def position_in_run(timestamps: NDArray[np.datetime64]) -> NDArray[np.intp]:
    """Number of contiguous hours directly before each row, ``[row]``: 0 on the first row after a gap."""
    rows = np.arange(len(timestamps))
    starts = np.where(np.diff(timestamps, prepend=timestamps[:1]) == HOUR, 0, rows)
    return rows - np.maximum.accumulate(starts)
