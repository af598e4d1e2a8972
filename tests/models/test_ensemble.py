import pickle
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

import numpy as np
import pytest

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.forecast import HORIZON, LEVELS, TARGETS
from make_us_rich.features.base import FeatureSet
from make_us_rich.features.har import HAR as HAR_FEATURES
from make_us_rich.features.har import har
from make_us_rich.features.registry import FEATURE_SETS, compute_features
from make_us_rich.features.returns import returns
from make_us_rich.features.split import Parts, Split, split_windows
from make_us_rich.features.windows import make_windows
from make_us_rich.inference.session import QuantileSession
from make_us_rich.models.base import Architecture, Challenger, FittedModel
from make_us_rich.models.baseline import Baseline
from make_us_rich.models.ensemble import can_combine, combine
from make_us_rich.models.har import Har
from synthetic import SETTINGS, TRAINING, simulated_klines

OUTPUT = HORIZON, len(LEVELS)
# The columns of ``har`` from the last to the first, behind one of another feature set.
WIDE = FeatureSet(
    "wide",
    ("log_return", *reversed(HAR_FEATURES.columns)),
    HAR_FEATURES.warmup,
    lambda klines: {**har(klines), "log_return": returns(klines)["log_return"]},
)


class Wide(Baseline):
    """The baseline on the wide features."""

    feature_set: Literal["wide"] = "wide"  # type: ignore[assignment]


HAR = Har(lookback=1, symmetric_from=12, symmetry=0.5)
UNSCALED: Any = None
MEMBERS: dict[str, Architecture] = {"har": HAR, "wide": Wide(lookback=24, decays=(0.9, 0.97))}
LEVEL_MEMBERS = {"lstm_levels": TRAINING.lstm_levels, "again": TRAINING.lstm_levels}


@pytest.fixture(scope="module", autouse=True)
def _wide_features() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FEATURE_SETS, WIDE.name, WIDE)
        yield


@cache
def parts(feature_set: str = "wide", lookback: int = 24) -> Parts:
    klines = simulated_klines(rows=2_000)
    start = klines["timestamp"].iloc[1_800]
    split = Split(rows=len(klines), test_start=start, validation_fraction=0.2, horizon=HORIZON)
    return split_windows(make_windows(compute_features(feature_set, klines), klines, lookback, HORIZON), split)


def har_parts() -> Parts:
    """The windows of HAR, from its own feature set, at the origins of the wide windows."""
    own, wide = parts("har", 1), parts()
    return Parts(own.train.at(wide.train.origins), own.validation.at(wide.validation.origins), own.test)


@cache
def alone(name: str) -> FittedModel:
    return MEMBERS[name].fit({"har": har_parts, "wide": parts}[name](), UNSCALED, SETTINGS)


@cache
def combined() -> Challenger:
    return combine({name: Challenger(MEMBERS[name], alone(name)) for name in MEMBERS})


@cache
def combined_graph() -> bytes:
    return combined().fitted.to_onnx()


def test_it_forecasts_the_mean_of_its_members_forecasts_from_their_own_windows() -> None:
    test = parts().test

    found = combined().fitted.quantiles(test.inputs())

    own = parts("har", 1).test.at(test.origins)
    members = alone("har").quantiles(own.inputs()), alone("wide").quantiles(test.inputs())
    for target in TARGETS:
        mean = (members[0][target].astype(float) + members[1][target]) / 2
        assert found[target].dtype == np.float32
        np.testing.assert_allclose(found[target], mean, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("scale", [0, 1, 50])
def test_its_graph_equals_it_and_its_quantiles_ascend(batch: int, scale: float) -> None:
    test = parts().test
    noise = np.random.default_rng(0).normal(0, scale, (batch, 24, len(WIDE.columns))).astype(np.float32)
    inputs = test.inputs()[:batch] + noise
    session = QuantileSession(combined_graph(), "ensemble", ((24, len(WIDE.columns)), OUTPUT))

    found, expected = session.quantiles(inputs), combined().fitted.quantiles(inputs)

    for target in TARGETS:
        np.testing.assert_allclose(found[target], expected[target], rtol=1e-5, atol=1e-7)
    for close, high, low in (found.values(), expected.values()):
        for quantiles in (close, high, low):
            assert (np.diff(quantiles, axis=-1) >= 0).all()
        assert (close[:, :, LEVELS.index(0.5)] == 0).all()
        assert (high >= np.maximum(close, 0)).all()
        assert (low <= np.minimum(close, 0)).all()


def test_it_survives_pickling_and_has_no_history_of_its_own() -> None:
    fitted, inputs = combined().fitted, parts().test.inputs()[:3]

    again = pickle.loads(pickle.dumps(fitted))

    np.testing.assert_equal(again.quantiles(inputs), fitted.quantiles(inputs))
    assert fitted.history.columns.tolist() == ["step", "train_loss", "validation_loss"]
    assert fitted.history.empty


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (MEMBERS, True),
        (LEVEL_MEMBERS, True),
        ({"har": HAR, "again": HAR}, True),
        ({}, False),
        ({"har": HAR}, False),
        ({"har": HAR, "baseline": TRAINING.baseline}, False),
        (MEMBERS | {"baseline": TRAINING.baseline}, False),
        (LEVEL_MEMBERS | {"har": HAR}, False),
    ],
)
def test_members_can_be_combined_if_one_sees_the_columns_of_all(members: Any, *, expected: bool) -> None:
    assert can_combine(members) is expected


def test_members_that_cannot_be_combined_are_refused_by_name() -> None:
    challengers = {name: Challenger(TRAINING.architecture(name), alone("har")) for name in ("har", "baseline")}

    with pytest.raises(ParameterError, match=r"^har, baseline cannot be combined; choose two or more architectures of"):
        combine(challengers)
