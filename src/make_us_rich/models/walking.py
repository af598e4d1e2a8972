"""Walking forward: recipes fitted anew in every fold, oldest first, and what they forecast on the hours after it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial, reduce
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from make_us_rich.domain.forecast import HORIZON
from make_us_rich.evaluation.folds import WalkForward, fold_parts, lead_in, walk_forward
from make_us_rich.evaluation.walk import LEAD_IN, Walk
from make_us_rich.features.windows import Windows, input_rows, make_windows
from make_us_rich.models.closed_form import training_windows
from make_us_rich.models.interface import Architecture, FitSettings
from make_us_rich.models.scaling import fit_scaler

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from make_us_rich.features.split import Origins, Parts
    from make_us_rich.models.parts import Features

log = logging.getLogger(__name__)


def cut_windows(recipes: Mapping[str, Architecture], features: Features, klines: pd.DataFrame) -> dict[str, Windows]:
    """The windows of each recipe at the origins at which all of them can forecast.

    Args:
        recipes: By any name.
        features: Feature set to a function that loads its frame, one row a candle.
        klines: Clean candles that contain those rows.
    """
    windows = {
        name: make_windows(features[recipe.feature_set](), klines, recipe.lookback, HORIZON)
        for name, recipe in recipes.items()
    }
    common = reduce(np.intersect1d, [each.origins for each in windows.values()])
    return {name: each.at(common) for name, each in windows.items()}


def plan_folds(windows: Windows, plan: WalkForward) -> tuple[Origins, ...]:
    """The lead-in and the folds after it, oldest first.

    Raises:
        DataError: There are too few hours for them.
    """
    origins, timestamps = windows.origins, windows.timestamps
    folds = walk_forward(origins, timestamps, plan)
    return lead_in(origins, timestamps, plan), *folds


def walk(
    recipes: Mapping[str, Architecture],
    windows: Mapping[str, Windows],
    folds: tuple[Origins, ...],
    settings: FitSettings,
) -> Walk:
    """Fit every recipe in every fold, and let it forecast the hours after it.

    Args:
        recipes: By any name.
        windows: By the same, at common origins.
        folds: The lead-in first.
        settings: Levels, seed, accelerator.
    """
    quantiles = {
        name: re_live(name, recipe, fold_parts(windows[name], folds), settings) for name, recipe in recipes.items()
    }
    any_windows = next(iter(windows.values()))
    test = any_windows.at(np.concatenate([fold.test for fold in folds]))
    sizes = [len(fold.test) for fold in folds]
    return Walk(
        opens=test.timestamps[test.origins],
        closes=test.last_closes(),
        targets=test.targets(),
        folds=np.repeat(np.arange(LEAD_IN, len(folds)), sizes),
        naive_errors=np.repeat([_naive_error(parts) for parts in fold_parts(any_windows, folds)], sizes),
        levels=settings.levels,
        quantiles=quantiles,
        refused={},
    )


def re_live(name: str, recipe: Architecture, folds: Sequence[Parts], settings: FitSettings) -> NDArray[np.float32]:
    """One recipe's forecasts on the test parts, ``[window, horizon, level]``."""
    forecasts = []
    for number, forecast in enumerate(forecast_folds(recipe, folds, settings)):
        log.info("%s: %s", name, f"fold {number} of {len(folds) - 1}" if number else "the lead-in")
        forecasts.append(forecast)
    return np.concatenate(forecasts)


def forecast_folds(
    recipe: Architecture, folds: Sequence[Parts], settings: FitSettings
) -> Iterator[NDArray[np.float32]]:
    """One recipe's forecasts on each fold's test part, oldest first; its scaler is fitted in each fold too."""
    fitted = None
    for parts in folds:
        scaler = fit_scaler(_seen(parts.fit))
        begin = recipe.fit if fitted is None else partial(recipe.refit, fitted)
        fitted = begin(parts, scaler, settings)
        yield fitted.quantiles(parts.test.inputs())


def _seen(windows: Windows) -> pd.DataFrame:
    rows = windows.features[input_rows(windows.origins, windows.lookback)]
    return pd.DataFrame(rows, columns=list(windows.columns))


def _naive_error(parts: Parts) -> float:
    windows = training_windows(parts)
    changes = windows.closes[windows.origins + 1] - windows.last_closes()
    return float(np.abs(changes).mean())
