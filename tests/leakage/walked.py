"""A small walk over a simulated market, and what each of its fits was given and made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import PrivateAttr

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.evaluation.folds import WalkForward
from make_us_rich.evaluation.walk import Walk
from make_us_rich.features.feature_set import FEATURE_SETS, compute_features
from make_us_rich.features.split import Origins, Parts
from make_us_rich.models.interface import Architecture, FitSettings, FittedModel, Scaler
from make_us_rich.models.walking import cut_windows, plan_folds, walk
from synthetic import SETTINGS, simulated_klines

PLAN = WalkForward(folds=3, hours=48, lead_in_hours=60, train_hours=400, least_windows=100)
ROWS = 1_350
"""The warm-up of a month, 400 hours of training, the lead-in, the folds, and the horizon of the last origin."""


@dataclass(frozen=True)
class Fit:
    """What one fit was given, and what came out."""

    parts: Parts
    scaler: Scaler
    previous: FittedModel | None
    fitted: FittedModel


class Spy(Architecture):
    """Lets a recipe do its work, and notes every fit."""

    recipe: Architecture
    _fits: list[Fit] = PrivateAttr(default_factory=list)

    @property
    def fits(self) -> list[Fit]:
        """Oldest first."""
        return self._fits

    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedModel:
        self._fits.append(Fit(parts, scaler, None, self.recipe.fit(parts, scaler, settings)))
        return self._fits[-1].fitted

    def refit(self, previous: FittedModel, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedModel:
        self._fits.append(Fit(parts, scaler, previous, self.recipe.refit(previous, parts, scaler, settings)))
        return self._fits[-1].fitted


@dataclass(frozen=True)
class Relived:
    """A walk, how it was cut, and its fits by recipe, the lead-in first."""

    walk: Walk
    folds: tuple[Origins, ...]
    fits: Mapping[str, list[Fit]]


def relive(klines: pd.DataFrame, recipes: Mapping[str, Architecture], plan: WalkForward = PLAN) -> Relived:
    """Compute the features, cut the folds and walk, as a training run does."""
    spies = {
        name: Spy(feature_set=recipe.feature_set, lookback=recipe.lookback, recipe=recipe)
        for name, recipe in recipes.items()
    }
    features = {name: partial(compute_features, name, klines) for name in FEATURE_SETS}
    windows = cut_windows(spies, features, klines)
    folds = plan_folds(next(iter(windows.values())), plan)
    walked = walk(spies, windows, folds, SETTINGS)
    return Relived(walked, folds, {name: spy.fits for name, spy in spies.items()})


@cache
def market() -> pd.DataFrame:
    return simulated_klines(rows=ROWS)


class Blind(Architecture):
    """Forecasts nothing, from any features."""

    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings) -> "Blind":
        return self

    @property
    def history(self) -> pd.DataFrame:
        return pd.DataFrame()

    def quantiles(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.zeros((len(inputs), HORIZON, len(QUANTILE_LEVELS)), np.float32)

    def to_onnx(self) -> bytes:
        return b""
