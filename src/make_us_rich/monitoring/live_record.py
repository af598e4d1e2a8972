"""The live record: one row for each served forecast and horizon, with the observed close, high and low."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from make_us_rich.backtest.score_table import PREFIXES
from make_us_rich.domain.distribution import quantile
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS, Forecast
from make_us_rich.domain.klines import HOUR


def quantile_columns(target: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns of a target's quantiles and of the baseline's, such as ``high_q05`` and ``baseline_high_q05``.

    Prices in quote currency; NaN where highs and lows, or the baseline's, were not forecast or not recorded.
    """
    own = tuple(f"{PREFIXES[target]}q{round(100 * level):02d}" for level in QUANTILE_LEVELS)
    return own, tuple(f"baseline_{name}" for name in own)


QUANTILES, BASELINE = quantile_columns("close")
_EXTREMES = tuple(name for target in ("high", "low") for names in quantile_columns(target) for name in names)

PENDING, OBSERVED, GAP = "pending", "observed", "gap"
"""States of an outcome: its candle has not closed; it was observed; the exchange has only later candles."""

DTYPES: dict[str, str] = {
    "issued_at": "datetime64[ms, UTC]",
    "horizon": "int64",
    "closes_at": "datetime64[ms, UTC]",
    "version": "str",
    "architecture": "str",
    "recipe": "str",
    "last_close": "float64",
    **dict.fromkeys((*QUANTILES, *BASELINE), "float64"),
    **dict.fromkeys(_EXTREMES, "float32"),
    "outcome": "float64",
    "high_outcome": "float32",
    "low_outcome": "float32",
    "state": "str",
}
"""Columns. ``recipe`` identifies the hyperparameters; refits share it. ``state`` is that of the close. Highs and lows
count from the last close; seven digits keep the file small, and rounded alike they compare as before."""


def forecast_rows(forecast: Forecast, recipe: str) -> pd.DataFrame:
    """One row for each horizon of a forecast with all ``QUANTILE_LEVELS``, without outcomes."""
    horizons = np.arange(1, len(forecast.quantiles) + 1)
    baseline = forecast.baseline or np.full((len(horizons), len(BASELINE)), np.nan)
    extremes: dict[str, Any] = {}
    for target in ("high", "low"):
        for names, returns in zip(quantile_columns(target), (forecast.returns, forecast.baseline_returns), strict=True):
            if target in returns:
                values = quantile(returns[target], forecast.return_levels, QUANTILE_LEVELS)
                extremes.update(zip(names, forecast.last_close * np.exp(values).T, strict=True))
    rows = {
        "issued_at": forecast.issued_at,
        "horizon": horizons,
        "closes_at": [forecast.issued_at + int(horizon) * HOUR for horizon in horizons],
        "version": forecast.version,
        "architecture": forecast.architecture,
        "recipe": recipe,
        "last_close": forecast.last_close,
        **dict(zip(QUANTILES, np.asarray(forecast.quantiles).T, strict=True)),
        **dict(zip(BASELINE, np.asarray(baseline).T, strict=True)),
        **extremes,
        "state": PENDING,
    }
    return _typed(pd.DataFrame(rows))


def append_forecast(record: pd.DataFrame, rows: pd.DataFrame | None) -> pd.DataFrame:
    """Add ``forecast_rows``; nothing where there are none, or a forecast of that hour is in the record.

    A record of an earlier release, or an empty one, gets the columns that it lacks.
    """
    if record.empty and rows is not None:
        return rows
    record = _typed(record)
    if rows is None or rows["issued_at"].iloc[0] in set(record["issued_at"]):
        return record
    return pd.concat([record, rows], ignore_index=True)


def fill_outcomes(record: pd.DataFrame, klines: pd.DataFrame) -> pd.DataFrame:
    """Fill in the closes, highs and lows that were observed since; an outcome that is there never changes.

    A candle that is missing among the clean ones is marked as a gap, until the exchange sends it. It leaves the highs
    and lows of all later horizons without an outcome, for the price may have gone anywhere in that hour.
    """
    if record.empty:
        return record
    forecasts, origins = pd.factorize(record["issued_at"])
    hours = pd.DatetimeIndex(origins).repeat(HORIZON) + pd.to_timedelta(np.tile(range(HORIZON), len(origins)), "h")
    candles = pd.DatetimeIndex(klines["timestamp"]).get_indexer(hours)  # -1 where there is none: NaN
    extremes = {}
    for target, pick in (("high", np.maximum), ("low", np.minimum)):
        prices = np.append(klines[target].to_numpy(np.float64), np.nan)[candles].reshape(-1, HORIZON)
        since = pick(pick.accumulate(prices, axis=1)[forecasts, record["horizon"] - 1], record["last_close"])
        known = record[name := f"{target}_outcome"]
        extremes[name] = known.where(known.notna(), since.astype(DTYPES[name]))
    closes = pd.Series(klines["close"].to_numpy(), index=pd.DatetimeIndex(klines["timestamp"] + HOUR))
    outcome = record["outcome"].where(record["state"] == OBSERVED, record["closes_at"].map(closes)).astype("float64")
    closed = record["closes_at"] <= closes.index.max()
    state = np.where(outcome.notna(), OBSERVED, np.where(closed, GAP, PENDING))
    return record.assign(outcome=outcome, **extremes, state=pd.Series(state, index=record.index, dtype="str"))


def _typed(record: pd.DataFrame) -> pd.DataFrame:
    return record.reindex(columns=list(DTYPES)).astype(DTYPES)
