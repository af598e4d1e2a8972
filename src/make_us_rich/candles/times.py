"""Columns of times as numbers and datetimes, always UTC."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def milliseconds(times: "pd.Series[Any]") -> NDArray[np.int64]:
    """A column of times as ms since 1970, ``[row]``; a missing time is the smallest integer."""
    return np.asarray(times.dt.tz_localize(None), dtype="datetime64[ms]").astype(np.int64)


def datetimes(times: "pd.Series[Any]") -> tuple[datetime, ...]:
    """A column of times as plain datetimes."""
    return tuple(pd.DatetimeIndex(times).to_pydatetime())


def hour_of(moment: datetime) -> datetime:
    """The full hour at or before a moment."""
    return moment.replace(minute=0, second=0, microsecond=0)
