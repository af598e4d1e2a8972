"""Every architecture, fitted and exported once on a simulated market."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.forecast import HORIZON, LEVELS, TARGETS
from make_us_rich.features.registry import compute_features
from make_us_rich.features.split import Parts, Split, split_windows
from make_us_rich.features.windows import input_rows, make_windows
from make_us_rich.inference.session import QuantileSession
from make_us_rich.models.base import Architecture, FittedModel, Scaler, fit_scaler
from make_us_rich.models.registry import TrainingParameters
from synthetic import SETTINGS, TRAINING, simulated_klines

ROWS = 2_000
CORRECTIONS = ("lstm", "patch_transformer")
"""Networks that correct HAR."""
Cut = Callable[..., Parts]


@cache
def features_of(feature_set: str) -> pd.DataFrame:
    return compute_features(feature_set, simulated_klines(rows=ROWS))


def cut_windows(architecture: Architecture, klines: pd.DataFrame | None = None) -> Parts:
    """Windows of an architecture, cut as the pipeline cuts them; of the simulated market by default."""
    if klines is None:
        klines, features = simulated_klines(rows=ROWS), features_of(architecture.feature_set)
    else:
        features = compute_features(architecture.feature_set, klines)
    start = klines["timestamp"].iloc[-(ROWS // 10)]
    split = Split(rows=len(klines), test_start=start, validation_fraction=0.2, horizon=HORIZON)
    return split_windows(make_windows(features, klines, architecture.lookback, HORIZON), split)


def scaler_of(parts: Parts) -> Scaler:
    rows = parts.train.features[input_rows(parts.train.origins, parts.train.lookback)]
    return fit_scaler(pd.DataFrame(rows, columns=list(parts.train.columns)))


@dataclass(frozen=True)
class Case:
    name: str
    architecture: Any
    parts: Parts
    scaler: Scaler
    fitted: Any

    def fit(self, **changes: Any) -> FittedModel:
        """Fit again with other hyperparameters."""
        changed: Architecture = self.architecture.model_copy(update=changes)
        return changed.fit(self.parts, self.scaler, SETTINGS)

    def with_weights(self, seed: int, scale: float) -> Any:
        """The fitted model with random weights in its networks; zero weights for a scale of 0."""
        import torch

        model, generator = copy.deepcopy(self.fitted), torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weights in model.forecaster.members.parameters():
                weights.copy_(scale * torch.randn(weights.shape, generator=generator))
        return model

    @cached_property
    def exported(self) -> Any:
        """The model whose graph is tested: a network that corrects HAR makes large corrections in it."""
        return self.with_weights(3, 1.0) if self.name in CORRECTIONS else self.fitted

    @cached_property
    def graph(self) -> bytes:
        graph: bytes = self.exported.to_onnx()
        return graph

    @cached_property
    def session(self) -> QuantileSession:
        shapes = (self.parts.test.lookback, len(self.parts.test.columns)), (HORIZON, len(LEVELS))
        return QuantileSession(self.graph, self.name, shapes)


@cache
def build_case(name: str) -> Case:
    architecture = TRAINING.architecture(name)
    parts = cut_windows(architecture)
    scaler = scaler_of(parts)
    return Case(name, architecture, parts, scaler, architecture.fit(parts, scaler, SETTINGS))


@pytest.fixture(params=TrainingParameters.names())
def any_case(request: pytest.FixtureRequest) -> Case:
    return build_case(request.param)


@pytest.fixture(params=CORRECTIONS)
def network(request: pytest.FixtureRequest) -> Case:
    """Each network that corrects HAR in turn."""
    return build_case(request.param)


@pytest.fixture(scope="session")
def case_of() -> Callable[[str], Case]:
    return build_case


@pytest.fixture(scope="session")
def cut() -> Cut:
    return cut_windows


@pytest.fixture(scope="session")
def assert_ordered() -> Callable[..., None]:
    """Checks that quantiles ascend, and that highs and lows contain the close and the last one."""

    def check(found: dict[str, np.ndarray], *, centered: bool = True) -> None:
        assert tuple(found) == TARGETS
        for quantiles in found.values():
            assert quantiles.shape[1:] == (HORIZON, len(LEVELS))
            assert np.isfinite(quantiles).all()
            assert (np.diff(quantiles, axis=-1) >= 0).all()
        close, high, low = found.values()
        assert (high >= np.maximum(close, 0)).all()
        assert (low <= np.minimum(close, 0)).all()
        assert not centered or (close[:, :, LEVELS.index(0.5)] == 0).all()

    return check


@pytest.fixture(scope="session")
def still_klines() -> pd.DataFrame:
    """A market that never moves."""
    klines = simulated_klines(rows=ROWS).copy()
    klines[["open", "high", "low", "close"]], klines["volume"] = 100.0, 0.0
    return klines


@pytest.fixture(scope="session")
def later_changed() -> pd.DataFrame:
    """The simulated market with other candles from the first test candle on."""
    klines = simulated_klines(rows=ROWS).copy()
    later = klines.index >= ROWS - ROWS // 10
    klines.loc[later, ["open", "high", "low", "close"]] *= np.linspace(1, 3, int(later.sum()))[:, None]
    klines.loc[later, ["high", "volume"]] *= 1.5
    return klines
