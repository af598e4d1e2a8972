import json
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from make_us_rich.domain.checksums import sha256
from make_us_rich.domain.errors import ArtifactError, ParityError
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.manifest import CONTRACT, Candidate
from make_us_rich.features.split import Split
from make_us_rich.features.windows import Windows
from make_us_rich.models.challengers import Challenger
from make_us_rich.models.combination import Combination
from make_us_rich.pipelines.converting.nodes import (
    add_baseline,
    check_parity,
    convert_baseline,
    convert_model,
    describe_candidate,
    draw_windows,
    pick_challenger,
)
from make_us_rich.pipelines.converting.parameters import ConvertingParameters
from make_us_rich.pipelines.converting.parity import compare
from synthetic import RUN, TRAINING, judgement, prepared, published, trained

CONVERTING = ConvertingParameters(parity_windows=16, rtol=1e-3, atol=1e-5)
CHOICE = {"architecture": "baseline"}


def chosen(architecture: str = "baseline") -> Challenger:
    return trained(architecture)[architecture]


SHAPE = (3, HORIZON, len(QUANTILE_LEVELS))
METRICS = {"crps_mean": 0.01}
PARITY = {"output": 0.0, "price": 0.0}


@pytest.fixture(scope="module")
def windows() -> Windows:
    made = prepared()
    return draw_windows(made.features, made.klines, made.split, chosen(), CONVERTING)


@pytest.fixture(scope="module")
def graph(windows: Windows) -> bytes:
    return convert_model(chosen(), CHOICE, windows, RUN)


@pytest.fixture(scope="module")
def model(graph: bytes) -> onnx.ModelProto:
    return onnx.load_from_string(graph)


@pytest.fixture
def forecast() -> np.ndarray:
    """Quantiles of three windows, a thousandth of log return apart."""
    return np.broadcast_to(np.arange(-3, 4, dtype=np.float32) / 1000, SHAPE).copy()


@pytest.fixture
def three(windows: Windows) -> Windows:
    return windows.at(windows.origins[:3])


def tamper(graph: bytes, name: str, factor: float) -> bytes:
    """Multiply one of the graph's constants."""
    model = onnx.load_from_string(graph)
    (constant,) = (each for each in model.graph.initializer if each.name == name)
    constant.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(constant) * np.float32(factor), name))
    return model.SerializeToString()


def test_the_windows_are_the_newest_of_the_test_part(windows: Windows) -> None:
    np.testing.assert_array_equal(windows.origins, prepared().parts("baseline").test.origins[-16:])


def test_the_graph_passes_the_checker_with_its_shapes(model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model, full_check=True)


def test_the_ends_are_the_contracts(graph: bytes) -> None:
    session = onnxruntime.InferenceSession(graph)

    ends = [(end.name, end.shape) for end in (*session.get_inputs(), *session.get_outputs())]
    assert ends == [("features", ["batch", 24, "feature"]), ("quantiles", ["batch", HORIZON, len(QUANTILE_LEVELS)])]


def test_the_graph_says_what_it_is(model: onnx.ModelProto) -> None:
    properties = {each.key: json.loads(each.value) for each in model.metadata_props}

    columns = properties.pop("columns")
    assert columns[0] == "log_return"
    assert len(columns) == 12
    assert properties == {
        "contract": CONTRACT,
        "pair": "btc_usdt",
        "architecture": "baseline",
        "feature_set": "returns",
        "lookback": 24,
        "horizon": 24,
        "levels": [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95],
    }


def test_the_opset_is_the_contracts(model: onnx.ModelProto) -> None:
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 18)]


@pytest.mark.parametrize("batch", [1, 5])
def test_the_batch_is_dynamic(graph: bytes, windows: Windows, batch: int) -> None:
    (found,) = onnxruntime.InferenceSession(graph).run(None, {"features": windows.inputs()[:batch]})

    assert found.shape == (batch, HORIZON, len(QUANTILE_LEVELS))


def test_the_network_converts_as_well() -> None:
    manifest, graph = published("lstm_levels")

    onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)
    assert 0 <= manifest.parity["output"] < 1e-5


def test_parity_tells_the_largest_differences(graph: bytes, windows: Windows) -> None:
    found = check_parity(graph, chosen(), CHOICE, windows, CONVERTING, RUN)

    assert found.keys() == {"output", "price"}
    assert 0 <= found["output"] < 1e-6
    assert 0 <= found["price"] < 1e-6 * 2 * windows.last_closes().max()


def test_a_graph_that_says_something_else_stops_the_run_with_both_prices(graph: bytes, windows: Windows) -> None:
    wrong = tamper(graph, "table", 1.1)
    fitted = trained()["baseline"].fitted.quantiles(windows.inputs()).astype(float)
    # The first value of the first window.
    right, found = (windows.last_closes()[0] * np.exp(factor * fitted[0, 0, 0]) for factor in (1, 1.1))
    opened = str(windows.timestamps[windows.origins[0]].astype("datetime64[m]"))

    with pytest.raises(ParityError) as caught:
        check_parity(wrong, chosen(), CHOICE, windows, CONVERTING, RUN)

    text = str(caught.value)
    assert text.startswith(
        "btc_usdt baseline: the ONNX model disagrees with the fitted one"
        f" after the candle of {opened} UTC, horizon 1, level 0.05: "
    )
    told, expected = text.split("level 0.05: ")[1].split(" in quote")[0].split(" against ")
    assert float(told) == pytest.approx(found, rel=1e-6)
    assert float(expected) == pytest.approx(right, rel=1e-6)
    assert text.endswith("nothing was published")


def test_a_difference_within_the_tolerance_passes(three: Windows, forecast: np.ndarray) -> None:
    # rtol of 1e-3 on 0.003 and atol of 1e-5.
    found = compare(forecast, forecast + np.float32(1.0e-5), three, "btc", CONVERTING)

    assert found["output"] == pytest.approx(1e-5, rel=1e-3)
    assert found["price"] == pytest.approx(1e-5 * three.last_closes().max(), rel=0.01)


def test_a_difference_past_the_tolerance_does_not(three: Windows, forecast: np.ndarray) -> None:
    # Too much for the 0.001 at the level 0.25, not yet for the 0.003 and 0.002 below it.
    with pytest.raises(ParityError, match=r"level 0\.25: "):
        compare(forecast, forecast + np.float32(1.15e-5), three, "btc", CONVERTING)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused_even_where_both_agree(
    three: Windows, forecast: np.ndarray, value: float
) -> None:
    forecast[1, 5, 6] = value

    with pytest.raises(ParityError, match=r"gives no finite value .* horizon 6, level 0.95"):
        compare(forecast, forecast, three, "btc", CONVERTING)


def test_crossing_quantiles_are_refused_even_where_both_agree(three: Windows, forecast: np.ndarray) -> None:
    forecast[2, 3, 4] = forecast[2, 3, 3] - 0.001

    with pytest.raises(ParityError, match=r"gives a quantile below a lower one .* horizon 4, level 0.75"):
        compare(forecast, forecast, three, "btc", CONVERTING)


def test_equal_quantiles_do_not_cross(three: Windows, forecast: np.ndarray) -> None:
    assert compare(0 * forecast, 0 * forecast, three, "btc", CONVERTING) == {"output": 0, "price": 0}


def test_a_graph_of_another_shape_is_refused(graph: bytes, windows: Windows) -> None:
    longer = replace(windows, lookback=30)

    with pytest.raises(ArtifactError, match=r"btc_usdt baseline: the ONNX model has the ends .* the contract asks for"):
        check_parity(graph, chosen(), CHOICE, longer, CONVERTING, RUN)


def test_a_graph_that_the_checker_refuses_stops_the_run(windows: Windows) -> None:
    class Broken:
        def to_onnx(self) -> bytes:
            model = onnx.load_from_string(trained()["baseline"].fitted.to_onnx())
            model.graph.node[0].op_type = "NoSuchOperator"
            return model.SerializeToString()

    broken = Challenger(TRAINING.baseline, Broken())  # type: ignore[arg-type]

    with pytest.raises(onnx.checker.ValidationError, match="No Op registered for NoSuchOperator"):
        convert_model(broken, CHOICE, windows, RUN)


def describe(graph: bytes, windows: Windows) -> Candidate:
    made = prepared()
    record = describe_candidate(
        graph, PARITY, made.scalers, made.klines, made.split, METRICS, judgement(), chosen(), windows, RUN
    )
    return Candidate.model_validate(json.loads(json.dumps(record)))


def test_the_candidate_names_what_the_model_needs(graph: bytes, windows: Windows) -> None:
    card = describe(graph, windows)

    assert (card.pair, card.architecture, card.feature_set) == ("btc_usdt", "baseline", "returns")
    assert (card.lookback, card.horizon, card.levels) == (24, HORIZON, QUANTILE_LEVELS)
    assert card.columns == windows.columns
    assert (card.metrics, card.parity) == (METRICS, PARITY)


def test_the_candidate_names_the_candles_that_it_was_made_from(graph: bytes, windows: Windows) -> None:
    data, opened = describe(graph, windows).data, prepared().klines["timestamp"]

    assert (data.start, data.end, data.rows) == (opened.iloc[0], opened.iloc[-1], len(opened))


def test_candles_older_than_the_history_are_not_named(graph: bytes, windows: Windows) -> None:
    made = prepared()
    record = describe_candidate(
        graph,
        PARITY,
        made.scalers,
        made.klines,
        made.split | {"rows": 48},
        METRICS,
        judgement(),
        chosen(),
        windows,
        RUN,
    )

    assert record["data"]["rows"] == 48
    assert record["data"]["start"] == made.klines["timestamp"].iloc[-48].strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_candidate_has_the_graphs_checksum(graph: bytes, windows: Windows) -> None:
    assert describe(graph, windows).checksums == {"onnx_model": sha256(graph)}


def test_the_candidate_recognises_its_scaler(graph: bytes, windows: Windows) -> None:
    scaler: Any = prepared().scalers["baseline"]
    values = np.concatenate([scaler.scale_, scaler.min_]).astype("<f8").tobytes()

    assert describe(graph, windows).scaler == sha256(values)


def test_the_candidate_knows_its_recipe_and_what_its_fit_has_seen(graph: bytes, windows: Windows) -> None:
    card, split = describe(graph, windows), Split.model_validate(prepared().split)

    assert card.recipe == {"baseline": TRAINING.baseline.model_dump(mode="json")}
    assert card.trained_until == split.test_start - HOUR


def test_the_edge_is_the_one_that_the_gate_found(graph: bytes, windows: Windows) -> None:
    found = judgement("lstm_levels")
    edge = {"publish": True, "reason": "edge: mean absolute error 1 % below persistence's"}
    recipe = {"baseline": TRAINING.baseline.model_dump(mode="json")}
    found["challengers"][0] |= {"architecture": "baseline", "edge": edge, "recipe": recipe}
    found["choice"] = "baseline"
    made = prepared()

    record = describe_candidate(
        graph, PARITY, made.scalers, made.klines, made.split, METRICS, found, chosen(), windows, RUN
    )

    assert record["edge"] == edge


def test_one_architecture_is_picked_as_it_is_and_several_are_combined() -> None:
    challengers = trained("baseline+lstm_levels") | {"other": trained()["baseline"]}

    assert pick_challenger(challengers, CHOICE) is challengers["baseline"]
    together = pick_challenger(challengers, {"architecture": "baseline+other"})
    assert isinstance(together.architecture, Combination)
    assert list(together.architecture.members) == ["baseline", "other"]


def test_a_model_that_was_judged_with_other_hyperparameters_is_refused(graph: bytes, windows: Windows) -> None:
    found = judgement("lstm_levels")
    found["challengers"][0] |= {"architecture": "baseline", "recipe": {"baseline": {"lookback": 7}}}
    found["choice"] = "baseline"
    made = prepared()

    with pytest.raises(ArtifactError, match=r"btc_usdt: baseline was judged with other hyperparameters .* run the"):
        describe_candidate(graph, PARITY, made.scalers, made.klines, made.split, METRICS, found, chosen(), windows, RUN)


def test_the_baseline_beside_a_model_is_the_one_of_the_same_run() -> None:
    made, challengers = prepared("lstm_levels"), trained("lstm_levels")

    graph, reads = convert_baseline(challengers, made.features, made.klines, made.split, CONVERTING, RUN)

    inputs = made.parts("baseline").test.inputs()
    found = onnxruntime.InferenceSession(graph).run(None, {"features": inputs})[0]
    np.testing.assert_allclose(found, challengers["baseline"].fitted.quantiles(inputs), rtol=1e-5)
    assert (reads["feature_set"], reads["lookback"], len(reads["columns"])) == ("returns", 24, 12)


def test_a_baseline_that_differs_from_its_graph_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    made, challengers = prepared(), trained()
    broken = tamper(challengers["baseline"].fitted.to_onnx(), "table", 1.5)
    monkeypatch.setattr(type(challengers["baseline"].fitted), "to_onnx", lambda _: broken)

    with pytest.raises(ParityError, match="btc_usdt baseline: the ONNX model disagrees with the fitted one"):
        convert_baseline(challengers, made.features, made.klines, made.split, CONVERTING, RUN)


def test_the_candidate_knows_what_the_baseline_beside_it_takes() -> None:
    described = {"checksums": {"onnx_model": "abc"}, "pair": "btc_usdt"}
    reads = {"feature_set": "returns", "columns": ["log_return"], "lookback": 168}

    assert add_baseline(described, b"graph", reads) == {
        "pair": "btc_usdt",
        "checksums": {"onnx_model": "abc", "baseline_onnx": sha256(b"graph")},
        "baseline": reads,
    }


def test_the_candidate_carries_the_verdict(graph: bytes, windows: Windows) -> None:
    assert describe(graph, windows).verdict.publish
