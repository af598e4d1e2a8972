from functools import cache
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.features.feature_set import FEATURE_SETS, compute_features
from make_us_rich.features.split import Parts, split_rows, split_windows
from make_us_rich.features.windows import make_windows
from make_us_rich.inference.session import QuantileSession
from make_us_rich.models.har import Har
from make_us_rich.models.interface import Scaler
from make_us_rich.models.lstm import Lstm
from synthetic import SETTINGS, TRAINING, simulated_klines

ROWS, FEATURES = 2000, len(FEATURE_SETS["paths"].columns)
RECIPE = TRAINING.lstm
MEDIAN = QUANTILE_LEVELS.index(0.5)
SCALER = cast("Scaler", None)
"""It is not asked."""


@cache
def parts() -> Parts:
    klines = simulated_klines(rows=ROWS)
    cut = split_rows(pd.DatetimeIndex(klines["timestamp"]), 0.1, 0.2, HORIZON)
    return split_windows(make_windows(compute_features("paths", klines), klines, RECIPE.lookback, HORIZON), cut)


@cache
def fit() -> Any:
    return RECIPE.fit(parts(), SCALER, SETTINGS)


def with_weights(seed: int, scale: float) -> Any:
    """A model whose networks say anything."""
    import copy

    import torch

    model = copy.deepcopy(fit())
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in model.forecaster.members.parameters():
            weights.copy_(scale * torch.randn(weights.shape, generator=generator))
    return model


def har_quantiles(inputs: np.ndarray) -> np.ndarray:
    har = Har(lookback=1, symmetric_from=RECIPE.symmetric_from, symmetry=RECIPE.symmetry)
    return har.fit(parts(), SCALER, SETTINGS).quantiles(inputs[:, -1:, : len(FEATURE_SETS["har"].columns)])


def test_networks_that_say_nothing_leave_the_quantiles_of_har() -> None:
    inputs = parts().test.inputs()
    silent = with_weights(0, 0.0)

    np.testing.assert_allclose(silent.quantiles(inputs), har_quantiles(inputs), rtol=2e-5, atol=1e-8)


@pytest.mark.parametrize("batch", [1, 7])
def test_onnx_equals_torch(batch: int) -> None:
    model = with_weights(1, 0.5)
    session = QuantileSession(model.to_onnx(), "lstm", ((RECIPE.lookback, FEATURES), (HORIZON, len(QUANTILE_LEVELS))))
    inputs = parts().test.inputs()[:batch]

    np.testing.assert_allclose(session.quantiles(inputs), model.quantiles(inputs), rtol=1e-4, atol=1e-7)
