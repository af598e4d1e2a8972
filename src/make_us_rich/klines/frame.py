"""Rows of the exchange as a typed frame; frames merged; columns of times as numbers and datetimes, UTC."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.klines import KLINE_COLUMNS, KLINE_DTYPES


def empty_klines() -> pd.DataFrame:
    """A frame without candles, in the kline schema."""
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in KLINE_DTYPES.items()})


def to_klines(rows: Sequence[Sequence[Any]], symbol: str) -> pd.DataFrame:
    """Type the exchange's rows, ``[candle][12]``: times in ms since 1970, prices and volumes as text.

    Returns:
        One row a candle with the columns and dtypes of ``KLINE_DTYPES``, in the order of ``rows``.

    Raises:
        DataError: A row has another length, or holds text that is no number.
    """
    if not rows:
        return empty_klines()
    try:
        fields = zip(KLINE_COLUMNS, zip(*rows, strict=True), strict=True)
        return pd.DataFrame({name: _typed(name, values) for name, values in fields})
    except (TypeError, ValueError, OverflowError) as exc:
        message = f"{symbol}: {_first_problem(rows)}"
        raise DataError(message, "run the fetching pipeline again") from exc


def merge_klines(*frames: pd.DataFrame) -> pd.DataFrame:
    """One frame of several, by open time: the later frame wins, sorted, no open time twice."""
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return empty_klines()
    merged = pd.concat(filled, ignore_index=True).drop_duplicates("timestamp", keep="last")
    return merged.sort_values("timestamp", kind="stable", ignore_index=True)


def milliseconds(times: "pd.Series[Any]") -> NDArray[np.int64]:
    """A column of times as ms since 1970, ``[row]``; a missing time is the smallest integer."""
    return np.asarray(times.dt.tz_localize(None), dtype="datetime64[ms]").astype(np.int64)


def datetimes(times: "pd.Series[Any]") -> tuple[datetime, ...]:
    """A column of times as plain datetimes."""
    return tuple(pd.DatetimeIndex(times).to_pydatetime())


def _typed(name: str, values: Sequence[Any]) -> "pd.Series[Any]":
    if name not in ("timestamp", "close_time"):
        return pd.Series(np.array(values, dtype=KLINE_DTYPES[name]))
    numbers = np.array(values, dtype=np.int64)
    return pd.Series(numbers.astype("datetime64[ms]")).dt.tz_localize("UTC")


def _first_problem(rows: Sequence[Sequence[Any]]) -> str:
    for number, row in enumerate(rows):
        where = f"row {number} of the exchange's answer is no candle"
        if not isinstance(row, list | tuple) or len(row) != len(KLINE_COLUMNS):
            shown = f"{len(row)} fields" if isinstance(row, list | tuple) else repr(row)[:60]
            return f"{where}: {shown} instead of {len(KLINE_COLUMNS)} fields"
        for name, value in zip(KLINE_COLUMNS, row, strict=True):
            try:
                _typed(name, (value,))
            except (TypeError, ValueError, OverflowError):
                return f"{where}: `{name}` is {str(value)[:40]!r}, not a number"
    return "the exchange's answer does not fit the kline schema"
