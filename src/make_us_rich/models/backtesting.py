"""Run a walk-forward backtest: fit recipes anew in every fold, oldest first, and forecast the hours after it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from make_us_rich.backtest.backtest import CALIBRATION_FOLD, Backtest, Backtests
from make_us_rich.backtest.calibration import Quantiles
from make_us_rich.backtest.folds import BacktestParameters, calibration_fold, fold_parts, make_folds
from make_us_rich.domain.forecast import HORIZON, TARGETS
from make_us_rich.features.windows import Windows, input_rows, make_windows
from make_us_rich.models.base import Architecture, FitSettings, fit_scaler

if TYPE_CHECKING:
    from make_us_rich.features.registry import FeatureFrames
    from make_us_rich.features.split import Origins, Parts

log = logging.getLogger(__name__)


def cut_windows(
    recipes: Mapping[str, Architecture], features: FeatureFrames, klines: pd.DataFrame
) -> dict[str, Windows]:
    """The windows of each recipe, by its name, at the origins at which all of them can forecast."""
    windows = {
        name: make_windows(features[recipe.feature_set](), klines, recipe.lookback, HORIZON)
        for name, recipe in recipes.items()
    }
    common = reduce(np.intersect1d, [each.origins for each in windows.values()])
    return {name: each.at(common) for name, each in windows.items()}


def plan_folds(windows: Windows, plan: BacktestParameters) -> tuple[Origins, ...]:
    """The calibration fold and the test folds after it, oldest first.

    Raises:
        DataError: There are too few hours for them.
    """
    origins, timestamps = windows.origins, windows.timestamps
    folds = make_folds(origins, timestamps, plan)
    return calibration_fold(origins, timestamps, plan), *folds


def run_backtest(
    recipes: Mapping[str, Architecture],
    windows: Mapping[str, Windows],
    folds: tuple[Origins, ...],
    settings: FitSettings,
) -> Backtests:
    """Fit every recipe in every fold, and forecast the hours after it; by target.

    Args:
        recipes: By any name.
        windows: By the same, at common origins; see ``cut_windows``.
        folds: The calibration fold first; see ``plan_folds``.
        settings: Of every fit.
    """
    quantiles = {}
    for name, recipe in recipes.items():
        forecasts: list[Quantiles] = []
        for number, forecast in enumerate(forecast_folds(recipe, fold_parts(windows[name], folds), settings)):
            log.info("%s: %s", name, f"fold {number} of {len(folds) - 1}" if number else "calibration fold")
            forecasts.append(forecast)
        quantiles[name] = {target: np.concatenate([each[target] for each in forecasts]) for target in TARGETS}
    any_windows = next(iter(windows.values()))
    test = any_windows.at(np.concatenate([fold.test for fold in folds]))
    sizes = [len(fold.test) for fold in folds]
    close = Backtest(
        opens=test.timestamps[test.origins],
        closes=test.last_closes(),
        targets=test.targets(),
        folds=np.repeat(np.arange(CALIBRATION_FOLD, len(folds)), sizes),
        naive_errors=np.repeat([_naive_error(parts) for parts in fold_parts(any_windows, folds)], sizes),
        levels=settings.levels,
        quantiles={},
        refused={},
    )
    return {
        target: replace(
            close,
            target=target,
            targets=test.targets(target),
            quantiles={name: made[target] for name, made in quantiles.items()},
        )
        for target in TARGETS
    }


def forecast_folds(recipe: Architecture, folds: Sequence[Parts], settings: FitSettings) -> Iterator[Quantiles]:
    """One recipe's forecasts on each fold's test part, oldest first; see `FittedModel.quantiles`.

    The scaler is fitted in each fold on the rows that its fit windows see.
    """
    fitted = None
    for parts in folds:
        windows = parts.train
        seen = windows.features[input_rows(windows.origins, windows.lookback)]
        scaler = fit_scaler(pd.DataFrame(seen, columns=list(windows.columns)))
        fitted = recipe.fit(parts, scaler, settings, fitted)
        yield fitted.quantiles(parts.test.inputs())


def _naive_error(parts: Parts) -> float:
    windows = parts.train_validation()
    changes = windows.closes[windows.origins + 1] - windows.last_closes()
    return float(np.abs(changes).mean())
