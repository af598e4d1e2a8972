"""A small backtest over a simulated market, with the input and the result of each of its fits."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import PrivateAttr

from make_us_rich.backtest.backtest import Backtests
from make_us_rich.backtest.calibration import Quantiles
from make_us_rich.backtest.folds import BacktestParameters
from make_us_rich.domain.forecast import HORIZON, LEVELS, TARGETS
from make_us_rich.features.registry import FEATURE_SETS, compute_features
from make_us_rich.features.split import Origins, Parts
from make_us_rich.models.backtesting import cut_windows, plan_folds, run_backtest
from make_us_rich.models.base import Architecture, FitSettings, FittedModel, Scaler
from synthetic import SETTINGS, simulated_klines

PLAN = BacktestParameters(n_folds=3, test_size=48, calibration_size=60, train_size=400, min_train_size=100)
ROWS = 1_350
"""The warm-up of a month, 400 hours of training, the lead-in, the folds, and the horizon of the last origin."""


@dataclass(frozen=True)
class Fit:
    """What one fit was given, and what came out."""

    parts: Parts
    scaler: Scaler
    previous: FittedModel | None
    fitted: FittedModel


class Recorder(Architecture):
    """Lets a recipe do its work, and notes every fit."""

    recipe: Architecture
    _fits: list[Fit] = PrivateAttr(default_factory=list)

    @property
    def fits(self) -> list[Fit]:
        """Oldest first."""
        return self._fits

    def fit(
        self, parts: Parts, scaler: Scaler, settings: FitSettings, previous: FittedModel | None = None
    ) -> FittedModel:
        self._fits.append(Fit(parts, scaler, previous, self.recipe.fit(parts, scaler, settings, previous)))
        return self._fits[-1].fitted


@dataclass(frozen=True)
class RecordedBacktest:
    """A backtest by target, its folds, and its fits by recipe, the calibration fold first."""

    backtests: Backtests
    folds: tuple[Origins, ...]
    fits: Mapping[str, list[Fit]]


def record_backtest(
    klines: pd.DataFrame, recipes: Mapping[str, Architecture], plan: BacktestParameters = PLAN
) -> RecordedBacktest:
    """Compute the features, cut the folds and run the backtest, as training does."""
    recorders = {
        name: Recorder(feature_set=recipe.feature_set, lookback=recipe.lookback, recipe=recipe)
        for name, recipe in recipes.items()
    }
    features = {name: partial(compute_features, name, klines) for name in FEATURE_SETS}
    windows = cut_windows(recorders, features, klines)
    folds = plan_folds(next(iter(windows.values())), plan)
    recorded = run_backtest(recorders, windows, folds, SETTINGS)
    return RecordedBacktest(recorded, folds, {name: recorder.fits for name, recorder in recorders.items()})


@cache
def market() -> pd.DataFrame:
    return simulated_klines(rows=ROWS)


class Blind(Architecture):
    """Forecasts nothing, from any features."""

    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings, previous: FittedModel | None = None) -> "Blind":
        return self

    @property
    def history(self) -> pd.DataFrame:
        return pd.DataFrame()

    def quantiles(self, inputs: NDArray[np.float32]) -> Quantiles:
        return dict.fromkeys(TARGETS, np.zeros((len(inputs), HORIZON, len(LEVELS)), np.float32))

    def to_onnx(self) -> bytes:
        return b""
