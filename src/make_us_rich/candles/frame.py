"""Rows as the exchange sends them, made into a typed frame; frames merged."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.klines import KLINE_COLUMNS, KLINE_DTYPES

_TIME_COLUMNS = tuple(name for name, dtype in KLINE_DTYPES.items() if dtype.startswith("datetime64"))
_WHOLE_COLUMNS = (*_TIME_COLUMNS, "trades")


def empty_klines() -> pd.DataFrame:
    """A frame without candles, in the kline schema."""
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in KLINE_DTYPES.items()})


def to_klines(rows: Sequence[Sequence[Any]], symbol: str) -> pd.DataFrame:
    """Type the exchange's rows.

    Args:
        rows: ``[candle][12]`` as the exchange sends them: times in ms since 1970, prices and volumes as text.
        symbol: Named in the error, such as ``BTCUSDT``.

    Returns:
        One row a candle with the columns and dtypes of ``KLINE_DTYPES``, in the order of ``rows``.

    Raises:
        DataError: A row has another length, or holds text that is no number.
    """
    _check_lengths(rows, symbol)
    if not rows:
        return empty_klines()
    fields = dict(zip(KLINE_COLUMNS, zip(*rows, strict=True), strict=True))
    try:
        return pd.DataFrame({name: _typed(name, values) for name, values in fields.items()})
    except (TypeError, ValueError, OverflowError) as exc:
        raise DataError(_first_fault(rows, symbol)) from exc


def merge_klines(*frames: pd.DataFrame) -> pd.DataFrame:
    """One frame of several, by open time: the later frame wins, sorted, no open time twice."""
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return empty_klines()
    merged = pd.concat(filled, ignore_index=True).drop_duplicates("timestamp", keep="last")
    return merged.sort_values("timestamp", kind="stable", ignore_index=True)


def _typed(name: str, values: Sequence[Any]) -> "pd.Series[Any]":
    numbers = np.array(values, dtype=np.int64 if name in _WHOLE_COLUMNS else np.float64)
    if name not in _TIME_COLUMNS:
        return pd.Series(numbers)
    return pd.Series(numbers.astype("datetime64[ms]")).dt.tz_localize("UTC")


def _check_lengths(rows: Sequence[Sequence[Any]], symbol: str) -> None:
    for number, row in enumerate(rows):
        if not isinstance(row, list | tuple) or len(row) != len(KLINE_COLUMNS):
            shown = f"{len(row)} fields" if isinstance(row, list | tuple) else repr(row)[:60]
            raise DataError(
                f"{symbol}: row {number} of the exchange's answer is no candle: {shown}"
                f" instead of {len(KLINE_COLUMNS)} fields; run the fetching pipeline again"
            )


def _first_fault(rows: Sequence[Sequence[Any]], symbol: str) -> str:
    for number, row in enumerate(rows):
        for name, value in zip(KLINE_COLUMNS, row, strict=True):
            if not _is_number(name, value):
                return (
                    f"{symbol}: row {number} of the exchange's answer is no candle: `{name}` is"
                    f" {str(value)[:40]!r}, not a number; run the fetching pipeline again"
                )
    return f"{symbol}: the exchange's answer does not fit the kline schema; run the fetching pipeline again"


def _is_number(name: str, value: Any) -> bool:
    try:
        _typed(name, (value,))
    except (TypeError, ValueError, OverflowError):
        return False
    return True
