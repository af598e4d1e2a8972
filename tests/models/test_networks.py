import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from make_us_rich.candles.frame import to_klines
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.evaluation.contest import joint_loss
from make_us_rich.evaluation.folds import WalkForward, fold_parts, walk_forward
from make_us_rich.features.feature_set import FEATURE_SETS, compute_features
from make_us_rich.features.split import Parts
from make_us_rich.features.windows import make_windows
from make_us_rich.inference.session import QuantileSession
from make_us_rich.models.interface import FitSettings, Scaler
from make_us_rich.models.registry import TrainingParameters
from networks import FEATURES, NETWORKS, SCALER, STATE, fitted, har_quantiles, parts, recipe, split, with_weights
from synthetic import SETTINGS, simulated_klines

REPO = Path(__file__).resolve().parents[2]
MEDIAN = QUANTILE_LEVELS.index(0.5)
SCALED_RETURN = FEATURE_SETS["paths"].columns.index("scaled_return")
network = pytest.mark.parametrize("name", NETWORKS)
CONFIGURED = TrainingParameters.model_validate(
    yaml.safe_load((REPO / "conf/base/parameters_training.yml").read_text("utf-8"))["training"]
)


@pytest.fixture(scope="module", autouse=True)
def _fitted() -> None:
    """Fitted once, before a test is timed."""
    for name in NETWORKS:
        fitted(name)


def member_weights(model: Any) -> list[np.ndarray]:
    return [weights.numpy() for weights in model.forecaster.members.state_dict().values()]


@network
def test_networks_that_say_nothing_leave_the_quantiles_of_har(name: str) -> None:
    inputs = parts(name).test.inputs()

    found = with_weights(name, 0, 0.0).quantiles(inputs)

    np.testing.assert_allclose(found, har_quantiles(name, inputs), rtol=2e-5, atol=1e-8)


@network
def test_a_network_that_has_learned_nothing_yet_says_nothing(name: str) -> None:
    import torch

    from make_us_rich.models.correction_fit import new_members

    made = new_members(recipe(name), QUANTILE_LEVELS)
    path, state = torch.randn(5, recipe(name).lookback, 3), torch.randn(5, STATE)

    assert (made(path, state) == 0).all()


@network
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), weight=st.floats(0.01, 30), noise=st.floats(0, 100))
def test_quantiles_never_cross_and_the_median_is_the_last_close(
    name: str, seed: int, weight: float, noise: float
) -> None:
    inputs = parts(name).test.inputs()[:5]
    inputs = inputs + np.random.default_rng(seed).normal(0, noise, inputs.shape).astype(np.float32)

    quantiles = with_weights(name, seed, weight).quantiles(inputs)

    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    assert (quantiles[:, :, MEDIAN] == 0).all()


@network
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), batch=st.sampled_from([1, 7]), weight=st.floats(0.01, 2))
def test_onnx_equals_torch_in_quote_currency(name: str, seed: int, batch: int, weight: float) -> None:
    model = with_weights(name, seed, weight)
    shapes = (recipe(name).lookback, FEATURES), (HORIZON, len(QUANTILE_LEVELS))
    inputs, closes = parts(name).test.inputs()[:batch], parts(name).test.last_closes()[:batch, None, None]

    found = QuantileSession(model.to_onnx(), name, shapes).quantiles(inputs)

    # A cent on a price of some forty thousand.
    np.testing.assert_allclose(closes * np.exp(found), closes * np.exp(model.quantiles(inputs)), rtol=0, atol=0.05)


@network
def test_the_graph_is_a_valid_one(name: str) -> None:
    import onnx

    graph = fitted(name).to_onnx()

    onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)
    ends = onnxruntime.InferenceSession(graph).get_inputs()
    assert [(end.name, end.shape) for end in ends] == [("features", ["batch", recipe(name).lookback, FEATURES])]


@network
def test_the_same_seed_gives_the_same_model(name: str) -> None:
    again = recipe(name).fit(parts(name), SCALER, SETTINGS)

    assert again.to_onnx() == fitted(name).to_onnx()


@network
def test_another_seed_gives_another_model(name: str) -> None:
    other = recipe(name).fit(parts(name), SCALER, FitSettings(QUANTILE_LEVELS, 1, "cpu"))

    assert other.to_onnx() != fitted(name).to_onnx()


@network
def test_the_scaler_changes_nothing(name: str) -> None:
    class Wild:
        scale_ = np.full(FEATURES, 1e9)
        min_ = np.full(FEATURES, -1e9)

    scaled = recipe(name).fit(parts(name), cast("Scaler", Wild()), SETTINGS)

    assert scaled.to_onnx() == fitted(name).to_onnx()


@network
def test_the_fit_looks_at_no_test_window(name: str) -> None:
    klines = simulated_klines(rows=2000).copy()
    later = klines.index >= 1800
    klines.loc[later, ["open", "high", "low", "close"]] *= np.linspace(1, 3, int(later.sum()))[:, None]
    changed = split(klines, recipe(name).lookback)

    refitted = recipe(name).fit(changed, SCALER, SETTINGS)

    assert not np.array_equal(changed.test.targets(), parts(name).test.targets())
    assert refitted.to_onnx() == fitted(name).to_onnx()


@network
def test_what_har_cannot_see_is_learned(name: str) -> None:
    planted = two_regimes(parts(name))
    eager = recipe(name).model_copy(update={"max_epochs": 12, "patience": 12, "learning_rate": 0.03})

    inputs = planted.test.inputs()
    widths = eager.fit(planted, SCALER, SETTINGS).quantiles(inputs)[:, 3, -1]

    wild = inputs[:, -1, SCALED_RETURN] > 0
    share = widths / har_quantiles(name, inputs)[:, 3, -1]
    assert share[wild].mean() > 1.5 * share[~wild].mean()


def two_regimes(made: Parts) -> Parts:
    """Every other two days returns are six times as large; a channel of the path says so, and no range does."""
    wild = np.arange(len(made.fit.closes)) // 48 % 2 == 0
    returns = np.diff(np.log(made.fit.closes)) * np.where(wild[1:], 3.0, 0.5)
    features = made.fit.features.copy()
    features[:, SCALED_RETURN] = np.where(np.roll(wild, -1), 1.0, -1.0)
    whole = replace(made.fit, features=features, closes=np.exp(np.concatenate([[0.0], returns.cumsum()])))
    return Parts(*(whole.at(part.origins) for part in (made.fit, made.validation, made.test)))


@network
def test_the_history_has_a_row_for_each_epoch(name: str) -> None:
    history = fitted(name).history

    assert history["step"].tolist() == [0, 1]
    assert history[["train_loss", "validation_loss"]].notna().all(axis=None)


@network
def test_a_refit_begins_with_the_weights_of_the_fit_before(name: str) -> None:
    frozen = recipe(name).model_copy(update={"learning_rate": 1e-12, "weight_decay": 0.0})
    strange = with_weights(name, 3, 0.01)

    refitted = frozen.refit(strange, parts(name), SCALER, SETTINGS)

    # Members that do not beat HAR-V are silenced, in the last layer alone.
    kept = [
        np.allclose(new, old, atol=1e-9) for new, old in zip(*map(member_weights, (refitted, strange)), strict=True)
    ]
    last = [name.split(".")[2] == "last" for name in strange.forecaster.members.state_dict()]
    assert all(same or silenced for same, silenced in zip(kept, last, strict=True))


@network
def test_a_refit_takes_fewer_epochs_and_leaves_the_fit_before_alone(name: str) -> None:
    before = fitted(name).to_onnx()

    refitted = recipe(name).refit(fitted(name), parts(name), SCALER, SETTINGS)

    assert len(refitted.history) == recipe(name).refit_epochs
    assert fitted(name).to_onnx() == before


@network
def test_networks_that_do_harm_are_silenced(name: str) -> None:
    hopeless = recipe(name).model_copy(update={"learning_rate": 1e-12})

    refitted = hopeless.refit(with_weights(name, 5, 30.0), parts(name), SCALER, SETTINGS)

    inputs = parts(name).test.inputs()
    np.testing.assert_allclose(refitted.quantiles(inputs), har_quantiles(name, inputs), rtol=2e-5, atol=1e-8)


@network
def test_a_fitted_model_survives_pickling(name: str) -> None:
    again = pickle.loads(pickle.dumps(fitted(name)))

    inputs = parts(name).test.inputs()
    np.testing.assert_array_equal(again.quantiles(inputs), fitted(name).quantiles(inputs))


@network
def test_a_market_so_young_that_nobody_can_learn_is_forecast_as_har_does(name: str) -> None:
    young = recipe(name).model_copy(update={"stretch_hours": 10**6})

    model = young.fit(parts(name), SCALER, SETTINGS)

    inputs = parts(name).test.inputs()
    np.testing.assert_allclose(model.quantiles(inputs), har_quantiles(name, inputs), rtol=2e-5, atol=1e-8)


@network
def test_a_market_that_always_stood_still_can_be_fitted(name: str) -> None:
    klines = simulated_klines(rows=1200).copy()
    klines[["open", "high", "low", "close"]], klines["volume"] = 100.0, 0.0
    frozen = split(klines, recipe(name).lookback)

    assert (recipe(name).fit(frozen, SCALER, SETTINGS).quantiles(frozen.test.inputs()) == 0).all()


@pytest.mark.parametrize(
    ("change", "message"), [({"lookback": 7}, "lookback 7"), ({"hidden_size": 3}, "hidden_size 3")]
)
def test_patches_and_heads_must_come_out_even(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValidationError, match=f"{message} is not a multiple of"):
        type(recipe("patch_transformer")).model_validate(recipe("patch_transformer").model_dump() | change)


@network
def test_on_real_candles_it_does_not_fall_behind_har(name: str, market_data: Path) -> None:
    raw = pd.read_csv(market_data / "BTCUSDT-1h.csv.gz")
    (fold,) = real_folds(to_klines(raw.to_numpy(object).tolist(), "BTCUSDT"), CONFIGURED.architecture(name).lookback)
    windows = fold.test
    har = CONFIGURED.har_week.fit(fold, SCALER, SETTINGS).quantiles(windows.inputs()[:, -1:, :STATE])
    quick = CONFIGURED.architecture(name).model_copy(update={"max_epochs": 2, "members": 2})

    found = quick.fit(fold, SCALER, SETTINGS).quantiles(windows.inputs())

    own, reference = (joint_loss(windows.targets(), each, QUANTILE_LEVELS).mean() for each in (found, har))
    assert 0.98 < own / reference < 1.01


def real_folds(klines: pd.DataFrame, lookback: int) -> tuple[Parts, ...]:
    windows = make_windows(compute_features("paths", klines), klines, lookback, HORIZON)
    return fold_parts(windows, walk_forward(windows.origins, windows.timestamps, WalkForward(folds=1, hours=1000)))
