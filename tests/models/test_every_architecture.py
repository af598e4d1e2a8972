"""What holds for every architecture, those of the future included."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from make_us_rich.domain.forecast import HORIZON, LEVELS, TARGETS
from make_us_rich.models.base import Challenger
from make_us_rich.models.ensemble import combine
from make_us_rich.models.registry import TrainingParameters
from synthetic import SETTINGS

CENTERED = [name for name in TrainingParameters.names() if name != "lstm_levels"]
centered = pytest.mark.parametrize("name", CENTERED)


@pytest.mark.parametrize("scale", [0.01, 1, 50])
def test_quantiles_ascend_around_the_last_close_whatever_the_features(
    any_case: Any, assert_ordered: Any, scale: float
) -> None:
    inputs = any_case.parts.test.inputs()[:20]
    noise = np.random.default_rng(0).normal(0, scale, inputs.shape).astype(np.float32)

    for model in (any_case.fitted, any_case.session):
        assert_ordered(model.quantiles(inputs + noise), centered=any_case.name in CENTERED)


@pytest.mark.parametrize("batch", [1, 2, 45])
def test_onnx_equals_the_fitted_model_in_quote_currency(any_case: Any, batch: int) -> None:
    test = any_case.parts.test
    inputs, closes = test.inputs()[:batch], test.last_closes()[:batch, None, None]

    found, exported = any_case.session.quantiles(inputs), any_case.exported.quantiles(inputs)

    # A cent on a price of some forty thousand.
    for target in TARGETS:
        expected = closes * np.exp(exported[target])
        np.testing.assert_allclose(closes * np.exp(found[target]), expected, rtol=0, atol=0.05)


def test_no_window_gives_no_forecast(any_case: Any) -> None:
    # Right after a fit no outcome is known yet. onnxruntime itself ends the process here for an LSTM.
    found = any_case.session.quantiles(any_case.parts.test.inputs()[:0])

    assert [found[target].shape for target in TARGETS] == 3 * [(0, HORIZON, len(LEVELS))]


class Exported:
    """A fitted model whose graph has been exported."""

    def __init__(self, fitted: Any, graph: bytes) -> None:
        self.quantiles, self.to_onnx = fitted.quantiles, lambda: graph


def test_networks_exported_by_torch_can_be_combined(case_of: Any) -> None:
    case = case_of("lstm_levels")
    graph = case.graph
    fitted: Any = Exported(case.fitted, graph)
    both = combine(dict.fromkeys(("one", "other"), Challenger(case.architecture, fitted))).fitted.to_onnx()
    onnx.checker.check_model(onnx.load_from_string(both), full_check=True)

    inputs, feeds = case.parts.test.inputs()[:7], list(TARGETS)
    for found, expected in zip(
        *(onnxruntime.InferenceSession(each).run(feeds, {"features": inputs}) for each in (both, graph)), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_the_graph_is_valid_and_keeps_the_contract(any_case: Any) -> None:
    graph = any_case.graph
    model = onnx.load_from_string(graph)

    onnx.checker.check_model(model, full_check=True)
    assert [end.name for end in (*model.graph.input, *model.graph.output)] == ["features", *TARGETS]
    assert [each.version for each in model.opset_import if each.domain == ""] == [18]
    assert b"site-packages" not in graph
    assert b"make_us_rich" not in graph


def test_a_fitted_model_survives_pickling(any_case: Any) -> None:
    inputs = any_case.parts.test.inputs()

    again = pickle.loads(pickle.dumps(any_case.fitted))

    np.testing.assert_equal(again.quantiles(inputs), any_case.fitted.quantiles(inputs))


def test_the_fit_uses_no_test_window_and_its_seed_decides(any_case: Any, cut: Any, later_changed: Any) -> None:
    changed = cut(any_case.architecture, later_changed)

    refitted = any_case.architecture.fit(changed, any_case.scaler, SETTINGS)

    inputs = any_case.parts.test.inputs()
    for target in TARGETS:
        assert not np.array_equal(changed.test.targets(target), any_case.parts.test.targets(target))
    np.testing.assert_equal(refitted.quantiles(inputs), any_case.fitted.quantiles(inputs))


@pytest.mark.parametrize("name", ["lstm", "patch_transformer", "lstm_levels"])
def test_another_seed_gives_other_weights(name: str, case_of: Any) -> None:
    case = case_of(name)

    other = case.architecture.fit(case.parts, case.scaler, replace(SETTINGS, seed=1))

    weights, others = (each.forecaster.state_dict() for each in (case.fitted, other))
    assert any(not np.array_equal(weights[key], others[key]) for key in weights)


@centered
def test_the_scaler_changes_nothing(name: str, case_of: Any) -> None:
    case = case_of(name)

    refitted = case.architecture.fit(case.parts, None, SETTINGS)

    inputs = case.parts.test.inputs()
    np.testing.assert_equal(refitted.quantiles(inputs), case.fitted.quantiles(inputs))


@centered
def test_a_market_that_never_moves_can_be_fitted(name: str, case_of: Any, cut: Any, still_klines: Any) -> None:
    architecture = case_of(name).architecture
    still = cut(architecture, still_klines)

    for quantiles in architecture.fit(still, None, SETTINGS).quantiles(still.test.inputs()).values():
        assert (quantiles == 0).all()


def test_the_history_has_a_row_for_each_step(any_case: Any) -> None:
    history = any_case.fitted.history
    steps = 1 if any_case.name == "har" else 2

    assert history["step"].tolist() == list(range(steps))
    assert history["train_loss"].notna().all()
    assert history["validation_loss"].notna().all() == any_case.architecture.trains_network
