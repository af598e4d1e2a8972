"""The live record: one row a forecast that was served and horizon, with the close that came."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from make_us_rich.domain.forecast import QUANTILE_LEVELS, Forecast
from make_us_rich.domain.klines import HOUR

QUANTILES = tuple(f"q{round(100 * level):02d}" for level in QUANTILE_LEVELS)
"""Columns of the quantiles, prices in quote currency, such as ``q05``."""

BASELINE = tuple(f"b{round(100 * level):02d}" for level in QUANTILE_LEVELS)
"""Columns of the baseline's quantiles, likewise; NaN where none was stored beside the model."""

WAITING, CAME, GAP = "waiting", "came", "gap"
"""States of an outcome: its hour is not over; it is there; later candles are there and it is not."""

DTYPES: dict[str, str] = {
    "issued_at": "datetime64[ms, UTC]",
    "horizon": "int64",
    "closes_at": "datetime64[ms, UTC]",
    "version": "str",
    "architecture": "str",
    "recipe": "str",
    "last_close": "float64",
    **dict.fromkeys((*QUANTILES, *BASELINE), "float64"),
    "outcome": "float64",
    "state": "str",
}
"""Columns of the record. ``recipe`` is the identifier of the hyperparameters, the same for refits."""


def rows_of(forecast: Forecast, recipe: str) -> pd.DataFrame:
    """One row a horizon; nothing has come true yet.

    Args:
        forecast: Of all ``QUANTILE_LEVELS``.
        recipe: Identifier of the hyperparameters of whoever forecast.
    """
    hours = np.arange(1, len(forecast.quantiles) + 1)
    baseline = forecast.baseline or np.full((len(hours), len(BASELINE)), np.nan)
    told = {"version": forecast.version, "architecture": forecast.architecture, "recipe": recipe}
    rows = {
        "issued_at": forecast.issued_at,
        "horizon": hours,
        "closes_at": [forecast.issued_at + int(hour) * HOUR for hour in hours],
        **told,
        "last_close": forecast.last_close,
        **dict(zip(QUANTILES, np.asarray(forecast.quantiles).T, strict=True)),
        **dict(zip(BASELINE, np.asarray(baseline).T, strict=True)),
        "outcome": np.nan,
        "state": WAITING,
    }
    return pd.DataFrame(rows).astype(DTYPES)


def append(record: pd.DataFrame, rows: pd.DataFrame | None) -> pd.DataFrame:
    """The record with a forecast added; one whose moment is in it already changes nothing.

    Args:
        record: Possibly without rows and columns.
        rows: See `rows_of`; None where there is no forecast.
    """
    stored = typed(record)
    if rows is None or rows["issued_at"].iloc[0] in set(stored["issued_at"]):
        return stored
    return rows if stored.empty else pd.concat([stored, rows], ignore_index=True)


def typed(record: pd.DataFrame) -> pd.DataFrame:
    """The record with all its columns, also where nothing is stored yet."""
    return (
        record if len(record.columns) else pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in DTYPES.items()})
    )


def fill_outcomes(record: pd.DataFrame, klines: pd.DataFrame) -> pd.DataFrame:
    """The record with the closes that have come since; an outcome that is there is never changed.

    Args:
        record: The record.
        klines: Clean candles; what is missing among them, with later ones there, is marked as a gap. A gap that the
            exchange fills afterwards becomes an outcome after all.
    """
    if record.empty:
        return record
    closes = pd.Series(klines["close"].to_numpy(), index=pd.DatetimeIndex(klines["timestamp"] + HOUR))
    came = record["closes_at"].map(closes)
    outcome = record["outcome"].where(record["state"] == CAME, came)
    over = record["closes_at"] <= closes.index.max()
    state = np.where(outcome.notna(), CAME, np.where(over, GAP, WAITING))
    return record.assign(outcome=outcome.astype("float64"), state=pd.Series(state, index=record.index, dtype="str"))


def keep_newest(record: pd.DataFrame, now: datetime, days: int) -> pd.DataFrame:
    """The forecasts of the last days: the record stays as large as it is."""
    return record[record["issued_at"] > now - timedelta(days=days)].reset_index(drop=True)
