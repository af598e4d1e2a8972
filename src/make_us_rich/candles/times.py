"""Moments as frames, numbers and datetimes, always UTC."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def milliseconds(times: "pd.Series[Any]") -> NDArray[np.int64]:
    """A column of times as ms since 1970, ``[row]``; a missing time is the smallest integer."""
    return np.asarray(times.dt.tz_localize(None), dtype="datetime64[ms]").astype(np.int64)


def datetimes(times: "pd.Series[Any]") -> tuple[datetime, ...]:
    """A column of times as plain datetimes."""
    return tuple(pd.DatetimeIndex(times).to_pydatetime())


def to_ms(moment: datetime) -> int:
    """A moment with a time zone as ms since 1970."""
    return (moment - _EPOCH) // _MS


def from_ms(number: int) -> datetime:
    """The moment (UTC) that is so many ms after 1970."""
    return _EPOCH + number * _MS


def hour_of(moment: datetime) -> datetime:
    """The full hour at or before a moment."""
    return moment.replace(minute=0, second=0, microsecond=0)
