import pickle
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, Literal

import numpy as np
import onnx
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.features import har, returns
from make_us_rich.features.feature_set import FEATURE_SETS, FeatureSet, compute_features
from make_us_rich.features.split import Parts, split_rows, split_windows
from make_us_rich.features.windows import make_windows
from make_us_rich.inference.session import QuantileSession
from make_us_rich.models.baseline import Baseline
from make_us_rich.models.challengers import Challenger
from make_us_rich.models.combination import COMBINATION, Combination, combinable, combine, narrow, narrow_scaler
from make_us_rich.models.har import Har
from make_us_rich.models.interface import Architecture, FittedModel, Scaler
from make_us_rich.models.lstm_levels import LstmLevels
from synthetic import SETTINGS, TRAINING, prepared, simulated_klines, trained

ROWS = 3000
LEVELS = len(QUANTILE_LEVELS)
MEDIAN = QUANTILE_LEVELS.index(0.5)
# The columns of ``har`` from the last to the first, and one of another feature set before them.
WIDE = FeatureSet(
    "wide", ("log_return", *reversed(har.COLUMNS)), har.WARMUP, lambda rows: {**har.har(rows), **moves(rows)}
)


class Wide(Baseline):
    """The baseline, but it sees the wide features."""

    feature_set: Literal["wide"] = "wide"  # type: ignore[assignment]


HAR = Har(lookback=1, symmetric_from=12, symmetry=0.5)
WIDE_BASELINE = Wide(lookback=24, decays=(0.9, 0.97))
MEMBERS: dict[str, Architecture] = {"har": HAR, "wide": WIDE_BASELINE}
LEVEL_MEMBERS: dict[str, Architecture] = {
    "lstm_levels": TRAINING.lstm_levels,
    "shorter": TRAINING.lstm_levels.model_copy(update={"lookback": 7, "layers": 1, "max_epochs": 1}),
}


def moves(klines: pd.DataFrame) -> dict[str, Any]:
    """The columns of ``returns`` that ``har`` has not."""
    return dict(returns.returns(klines))


@pytest.fixture(scope="module", autouse=True)
def _wide_features() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FEATURE_SETS, WIDE.name, WIDE)
        yield


class Ramp:
    """A scaler that is different for each feature."""

    scale_ = np.arange(len(WIDE.columns), dtype=np.float64)
    min_ = -np.arange(len(WIDE.columns), dtype=np.float64)


SCALER: Scaler = Ramp()


@cache
def parts(feature_set: str = "wide", lookback: int = 24) -> Parts:
    klines = simulated_klines(rows=ROWS)
    split = split_rows(pd.DatetimeIndex(klines["timestamp"]), 0.1, 0.2, HORIZON)
    return split_windows(make_windows(compute_features(feature_set, klines), klines, lookback, HORIZON), split)


def har_parts() -> Parts:
    """What HAR-V sees at the origins of the wide windows, made from its own feature set."""
    own, wide = parts("har", 1), parts()
    return Parts(own.fit.at(wide.fit.origins), own.validation.at(wide.validation.origins), own.test)


@cache
def alone(name: str) -> FittedModel:
    return MEMBERS[name].fit({"har": har_parts, "wide": parts}[name](), SCALER, SETTINGS)


@cache
def combined() -> Challenger:
    return combine({name: Challenger(MEMBERS[name], alone(name)) for name in MEMBERS})


def session(graph: bytes, lookback: int, features: int) -> QuantileSession:
    return QuantileSession(graph, COMBINATION, ((lookback, features), (HORIZON, LEVELS)))


@cache
def combined_session() -> QuantileSession:
    return session(combined().fitted.to_onnx(), 24, len(WIDE.columns))


@cache
def levels() -> Challenger:
    """Two small networks of different depth."""
    made = prepared("baseline+lstm_levels")
    shorter = LEVEL_MEMBERS["shorter"]
    seen = narrow(made.parts("lstm_levels"), shorter)
    fitted = shorter.fit(seen, made.scalers["lstm_levels"], SETTINGS)
    return combine(
        {"shorter": Challenger(shorter, fitted), "lstm_levels": trained("baseline+lstm_levels")["lstm_levels"]}
    )


def test_it_forecasts_the_mean_of_what_its_members_forecast_from_windows_of_their_own() -> None:
    test = parts().test

    found = combined().fitted.quantiles(test.inputs())

    own = parts("har", 1).test.at(test.origins)
    mean = (alone("har").quantiles(own.inputs()).astype(float) + alone("wide").quantiles(test.inputs())) / 2
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, mean, rtol=1e-6, atol=1e-9)


def test_it_sees_the_widest_features_and_the_longest_past() -> None:
    longer = HAR.model_copy(update={"lookback": 30})

    made = Combination.of({"har": longer, "wide": WIDE_BASELINE})

    assert (made.feature_set, made.lookback) == ("wide", 30)


def test_fitting_it_is_fitting_each_member_on_windows_of_its_own() -> None:
    fitted = Combination.of(MEMBERS).fit(parts(), SCALER, SETTINGS)

    inputs = parts().test.inputs()
    np.testing.assert_array_equal(fitted.quantiles(inputs), combined().fitted.quantiles(inputs))


class Warm(Baseline):
    """Remembers the fit that it began with."""

    def refit(self, previous: Any, parts: Any, scaler: Any, settings: Any) -> Any:
        return replace(self.fit(parts, scaler, settings), history=previous.history.assign(again=True))


def test_fitting_it_again_begins_with_each_members_own_fit() -> None:
    recipe = Combination.of({name: Warm(lookback=hours, decays=(0.9,)) for name, hours in (("a", 3), ("b", 5))})
    windows = parts("returns", 5)

    again = recipe.refit(recipe.fit(windows, SCALER, SETTINGS), windows, SCALER, SETTINGS)

    losses = [seat.fitted.history["train_loss"].tolist() for seat in again.members.values()]
    assert [seat.fitted.history["again"].all() for seat in again.members.values()] == [True, True]
    assert losses[0] != losses[1]


def test_a_member_is_given_its_own_columns_of_the_scaler() -> None:
    found = narrow_scaler(SCALER, parts(), HAR)

    # The wide features have those of HAR-V behind one of their own, the last one first.
    np.testing.assert_array_equal(found.scale_, np.arange(len(har.COLUMNS), 0, -1))
    np.testing.assert_array_equal(found.min_, -found.scale_)


def test_narrowed_windows_are_those_of_the_members_own_features() -> None:
    found, own = narrow(parts(), HAR), har_parts()

    assert (found.test.columns, found.test.lookback) == (har.COLUMNS, 1)
    np.testing.assert_array_equal(found.validation.inputs(), own.validation.inputs())
    np.testing.assert_array_equal(found.fit.targets(), own.fit.targets())


@pytest.mark.parametrize("batch", [1, 7])
def test_onnx_equals_it_in_quote_currency(batch: int) -> None:
    test = parts().test
    inputs, closes = test.inputs()[:batch], test.last_closes()[:batch, None, None]

    found = combined_session().quantiles(inputs)

    assert found.shape == (batch, HORIZON, LEVELS)
    np.testing.assert_allclose(closes * np.exp(found), closes * np.exp(combined().fitted.quantiles(inputs)), rtol=1e-6)


seeds = st.integers(0, 2**32 - 1)


def noise(seed: int, scale: float, batch: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, (batch, 24, len(WIDE.columns))).astype(np.float32)


@given(seed=seeds, scale=st.floats(0.01, 50))
def test_quantiles_ascend_whatever_the_features(seed: int, scale: float) -> None:
    quantiles = combined().fitted.quantiles(noise(seed, scale, 5))

    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=-1) >= 0).all()


@given(seed=seeds, scale=st.floats(0.01, 50), batch=st.integers(1, 9))
def test_quantiles_of_the_graph_ascend_too(seed: int, scale: float, batch: int) -> None:
    assert (np.diff(combined_session().quantiles(noise(seed, scale, batch)), axis=-1) >= 0).all()


def test_the_median_stays_at_the_last_close_where_every_members_does() -> None:
    inputs = parts().test.inputs()

    assert (combined().fitted.quantiles(inputs)[:, :, MEDIAN] == 0).all()
    assert (combined_session().quantiles(inputs)[:, :, MEDIAN] == 0).all()


def test_the_graph_is_a_valid_one_with_the_contracts_ends_and_opset() -> None:
    model = onnx.load_from_string(combined().fitted.to_onnx())

    onnx.checker.check_model(model, full_check=True)
    assert [end.name for end in (*model.graph.input, *model.graph.output)] == ["features", "quantiles"]
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 18)]


def test_networks_exported_by_torch_can_be_combined() -> None:
    test = prepared("baseline+lstm_levels").parts("lstm_levels").test
    graph = levels().fitted.to_onnx()
    onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)
    ready = session(graph, test.lookback, len(test.columns))

    for batch in (1, 7):
        inputs, closes = test.inputs()[:batch], test.last_closes()[:batch, None, None]
        expected = closes * np.exp(levels().fitted.quantiles(inputs))
        # A cent on a price of some forty thousand.
        np.testing.assert_allclose(closes * np.exp(ready.quantiles(inputs)), expected, rtol=0, atol=0.05)


@pytest.mark.parametrize("made", [combined, levels])
def test_it_survives_pickling(made: Any) -> None:
    fitted = made().fitted
    inputs = noise(0, 1, 3)[:, -made().architecture.lookback :, : fitted.features]

    again = pickle.loads(pickle.dumps(fitted))

    np.testing.assert_array_equal(again.quantiles(inputs), fitted.quantiles(inputs))


def test_it_has_no_steps_of_its_own() -> None:
    assert combined().fitted.history.columns.tolist() == ["step", "train_loss", "validation_loss"]
    assert combined().fitted.history.empty


def test_its_record_has_every_hyperparameter_of_its_members() -> None:
    record = Combination.of(LEVEL_MEMBERS).model_dump()

    assert record["members"] == {name: member.model_dump() for name, member in LEVEL_MEMBERS.items()}


BASELINE = TRAINING.baseline


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (MEMBERS, True),
        (LEVEL_MEMBERS, True),
        ({"har": HAR, "again": HAR}, True),
        ({}, False),
        ({"har": HAR}, False),
        ({"har": HAR, "baseline": BASELINE}, False),
        ({"wide": WIDE_BASELINE, "har": HAR, "baseline": BASELINE}, False),
    ],
)
def test_members_can_be_combined_if_one_sees_the_columns_of_all(members: Any, *, expected: bool) -> None:
    assert combinable(members) is expected


def test_what_cannot_be_combined_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match=r"^har, baseline cannot be combined; choose two or more architectures of"):
        Combination.of({"har": HAR, "baseline": BASELINE})


def test_an_lstm_on_levels_is_combined_with_its_like_only() -> None:
    assert isinstance(LEVEL_MEMBERS["shorter"], LstmLevels)
    assert not combinable({**LEVEL_MEMBERS, "har": HAR})
