"""The small networks of the tests, their windows, and networks whose weights are anything."""

import copy
from functools import cache
from typing import Any, cast

import numpy as np
import pandas as pd

from make_us_rich.domain.forecast import HORIZON
from make_us_rich.features.feature_set import FEATURE_SETS, compute_features
from make_us_rich.features.split import Parts, split_rows, split_windows
from make_us_rich.features.windows import make_windows
from make_us_rich.models.corrected_har import CorrectedHar
from make_us_rich.models.har_week import HarWeek
from make_us_rich.models.interface import Scaler
from synthetic import SETTINGS, TRAINING, simulated_klines

NETWORKS = ("lstm", "patch_transformer")
ROWS, FEATURES, STATE = 2000, len(FEATURE_SETS["paths"].columns), len(FEATURE_SETS["har_week"].columns)
SCALER = cast("Scaler", None)
"""It is not asked."""


def recipe(name: str) -> CorrectedHar:
    """Of the tests' own configuration."""
    return cast("CorrectedHar", TRAINING.architecture(name))


@cache
def parts(name: str) -> Parts:
    """Windows of the simulated market."""
    return split(simulated_klines(rows=ROWS), recipe(name).lookback)


def split(klines: pd.DataFrame, lookback: int) -> Parts:
    """As the pipeline cuts them."""
    cut = split_rows(pd.DatetimeIndex(klines["timestamp"]), 0.1, 0.2, HORIZON)
    return split_windows(make_windows(compute_features("paths", klines), klines, lookback, HORIZON), cut)


@cache
def fitted(name: str) -> Any:
    """Fitted on them."""
    return recipe(name).fit(parts(name), SCALER, SETTINGS)


def with_weights(name: str, seed: int, scale: float) -> Any:
    """A fitted model whose networks say anything; with a scale of 0, nothing."""
    import torch

    model = copy.deepcopy(fitted(name))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in model.forecaster.members.parameters():
            weights.copy_(scale * torch.randn(weights.shape, generator=generator))
    return model


def har_quantiles(name: str, inputs: np.ndarray) -> np.ndarray:
    """HAR-V's own, fitted on the same windows."""
    chosen = recipe(name)
    har = HarWeek(lookback=1, symmetric_from=chosen.symmetric_from, symmetry=chosen.symmetry)
    return har.fit(parts(name), SCALER, SETTINGS).quantiles(inputs[:, -1:, :STATE])
