import pickle
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pytest

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.forecast import HORIZON, LEVELS, TARGETS
from make_us_rich.features.base import FeatureSet
from make_us_rich.features.har import HAR as HAR_FEATURES
from make_us_rich.features.har import har
from make_us_rich.features.registry import FEATURE_SETS
from make_us_rich.features.returns import returns
from make_us_rich.features.split import Parts
from make_us_rich.inference.session import QuantileSession
from make_us_rich.models.base import Architecture, Challenger, Challengers, FittedModel
from make_us_rich.models.baseline import Baseline
from make_us_rich.models.ensemble import can_combine, combine
from make_us_rich.models.har import Har
from synthetic import SETTINGS, TRAINING

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


@pytest.fixture(scope="module")
def wide(cut: Any) -> Parts:
    parts: Parts = cut(MEMBERS["wide"])
    return parts


@pytest.fixture(scope="module")
def alone(cut: Any, wide: Parts) -> Challengers:
    """The members, each fitted on its own feature set at the origins of the wide windows."""
    own = cut(HAR)
    same = Parts(own.train.at(wide.train.origins), own.validation.at(wide.validation.origins), own.test)
    parts = {"har": same, "wide": wide}
    return {name: Challenger(each, each.fit(parts[name], UNSCALED, SETTINGS)) for name, each in MEMBERS.items()}


@pytest.fixture(scope="module")
def combined(alone: Challengers) -> FittedModel:
    return combine(alone).fitted


@pytest.fixture(scope="module")
def session(combined: FittedModel) -> QuantileSession:
    return QuantileSession(combined.to_onnx(), "ensemble", ((24, len(WIDE.columns)), (HORIZON, len(LEVELS))))


def test_it_forecasts_the_mean_of_its_members_forecasts_from_their_own_windows(
    cut: Any, wide: Parts, alone: Challengers, combined: FittedModel
) -> None:
    found = combined.quantiles(wide.test.inputs())

    own = cut(HAR).test.at(wide.test.origins)
    har, other = (
        alone[name].fitted.quantiles(windows.inputs()) for name, windows in (("har", own), ("wide", wide.test))
    )
    for target in TARGETS:
        mean = (har[target].astype(float) + other[target]) / 2
        assert found[target].dtype == np.float32
        np.testing.assert_allclose(found[target], mean, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("scale", [0, 1, 50])
def test_its_graph_equals_it_and_its_quantiles_ascend(
    wide: Parts, combined: FittedModel, session: QuantileSession, assert_ordered: Any, batch: int, scale: float
) -> None:
    noise = np.random.default_rng(0).normal(0, scale, (batch, 24, len(WIDE.columns))).astype(np.float32)
    inputs = wide.test.inputs()[:batch] + noise

    found, expected = session.quantiles(inputs), combined.quantiles(inputs)

    for target in TARGETS:
        np.testing.assert_allclose(found[target], expected[target], rtol=1e-5, atol=1e-7)
    assert_ordered(found)
    assert_ordered(expected)


def test_it_survives_pickling_and_has_no_history_of_its_own(wide: Parts, combined: FittedModel) -> None:
    inputs = wide.test.inputs()[:3]

    again = pickle.loads(pickle.dumps(combined))

    np.testing.assert_equal(again.quantiles(inputs), combined.quantiles(inputs))
    assert combined.history.columns.tolist() == ["step", "train_loss", "validation_loss"]
    assert combined.history.empty


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


def test_members_that_cannot_be_combined_are_refused_by_name(alone: Challengers) -> None:
    challengers = {"har": alone["har"], "baseline": Challenger(TRAINING.baseline, alone["wide"].fitted)}

    with pytest.raises(ParameterError, match=r"^har, baseline cannot be combined; choose two or more architectures of"):
        combine(challengers)
