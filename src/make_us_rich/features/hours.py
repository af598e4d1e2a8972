"""Runs of contiguous hours: what a gap separates."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from make_us_rich.domain.klines import HOUR_MS


def naive_utc(times: pd.DatetimeIndex) -> NDArray[np.datetime64]:
    """Aware times as numpy's ``datetime64[ms]``, in UTC, ``[row]``."""
    naive = times.tz_convert("UTC").tz_localize(None)
    return naive.to_numpy().astype("datetime64[ms]")


def follows(timestamps: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Whether each row opens exactly one hour after the row before it, ``[row]``; the first row does not."""
    steps = np.diff(timestamps) == np.timedelta64(HOUR_MS, "ms")
    return np.concatenate((np.zeros(min(len(timestamps), 1), dtype=np.bool_), steps))


def position_in_run(timestamps: NDArray[np.datetime64]) -> NDArray[np.intp]:
    """How many contiguous hours lie directly before each row, ``[row]``: 0 on the first row after a gap."""
    rows = np.arange(len(timestamps))
    starts = np.where(follows(timestamps), 0, rows)
    return rows - np.maximum.accumulate(starts)
