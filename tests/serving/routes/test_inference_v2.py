"""The Open Inference Protocol: features in, the quantiles that are served out."""

import json
from typing import Any

import numpy as np
import pytest

from make_us_rich.domain.forecast import LEVELS, QUANTILE_LEVELS
from make_us_rich.features.registry import compute_features

INFER = "/v2/models/btc_usdt/infer"


def features(api) -> np.ndarray:
    """The newest input of the model, ``[1, lookback, feature]``."""
    manifest = api.service.models.get("btc_usdt").manifest
    frame = compute_features(manifest.feature_set, api.service.candles.get("btc_usdt").frame)
    return frame[list(manifest.columns)].tail(manifest.lookback).to_numpy(np.float32)[None]


def asked(inputs: np.ndarray, **changes: Any) -> dict[str, Any]:
    tensor = {"name": "features", "shape": list(inputs.shape), "datatype": "FP32", "data": inputs.ravel().tolist()}
    return {"id": "42", "inputs": [tensor | changes]}


def test_the_metadata_name_both_ends_and_errors_are_a_text_as_the_protocol_wants_them(api) -> None:
    told = api.client.get("/v2/models/btc_usdt").json()

    assert told["inputs"] == [{"name": "features", "datatype": "FP32", "shape": [-1, 24, 12]}]
    assert told["outputs"] == [
        {"name": target, "datatype": "FP32", "shape": [-1, 24, 21]} for target in ("close", "high", "low")
    ]
    assert api.client.get("/v2/models/btc_usdt/ready").json() == {"ready": True}
    assert api.client.get("/v2/health/live").json() == {"live": True}
    unknown = api.client.get("/v2/models/nope_usdt")
    assert unknown.status_code == 404
    assert unknown.json() == {
        "error": "nope_usdt is not served; choose one of GET /api/v1/pairs",
        "code": "unknown_pair",
        "request_id": unknown.headers["x-request-id"],
    }


@pytest.mark.parametrize("nested", [False, True])
def test_the_forecast_comes_out_where_its_features_go_in(api, nested: bool) -> None:
    inputs = features(api)
    data = inputs.tolist() if nested else inputs.ravel().tolist()
    # A client need not say that it sends JSON.
    answer = api.client.post(INFER, content=json.dumps(asked(inputs, data=data)), headers=api.bearer())
    forecast = api.service.get("btc_usdt").forecast

    told = answer.json()
    assert (told["id"], told["model_name"], told["model_version"]) == ("42", "btc_usdt", forecast.version)
    assert [(output["name"], output["datatype"], output["shape"]) for output in told["outputs"]] == [
        (target, "FP32", [1, 24, 21]) for target in ("close", "high", "low")
    ]
    found = {output["name"]: np.reshape(output["data"], (24, 21)) for output in told["outputs"]}
    scored = [LEVELS.index(level) for level in QUANTILE_LEVELS]
    prices = forecast.last_close * np.exp(found["close"][:, scored])
    assert prices == pytest.approx(np.asarray(forecast.quantiles), rel=1e-6)
    for target, returns in forecast.returns.items():
        np.testing.assert_allclose(found[target], returns, rtol=1e-6)
    assert (found["high"] >= np.maximum(found["close"], 0)).all()
    assert (found["low"] <= np.minimum(found["close"], 0)).all()
    assert answer.headers["x-ratelimit-remaining"] == "999"


@pytest.mark.parametrize("names", [("low",), ("high", "low"), ("low", "close", "high")])
def test_only_the_requested_outputs_are_returned_in_the_requested_order(api, names: tuple[str, ...]) -> None:
    # Two windows: the newest features and twice of them.
    inputs = np.concatenate([features(api), 2 * features(api)])
    headers = api.bearer()
    everything = api.client.post(INFER, json=asked(inputs), headers=headers).json()["outputs"]
    request = asked(inputs) | {"outputs": [{"name": name} for name in names]}
    outputs = api.client.post(INFER, json=request, headers=headers).json()["outputs"]

    assert [output["name"] for output in outputs] == list(names)
    assert all(output["shape"] == [2, 24, 21] for output in outputs)
    assert outputs == [next(each for each in everything if each["name"] == name) for name in names]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "inputs"}, "name it 'features'"),
        ({"datatype": "INT64"}, "send FP32"),
        ({"shape": [1, 24, 11]}, "send [windows, 24, 12]"),
        ({"data": [1.0, 2.0]}, "there are 2 numbers"),
        ({"data": [[1.0, 2.0], [3.0]]}, "ragged"),
        ({"data": [1e39] * 288}, "a feature is not finite"),
        ({"outputs": [{"name": "high"}, {"name": "quantiles"}]}, "no such output; request close, high, low"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(api, changes: dict[str, Any], reason: str) -> None:
    outputs = {name: changes[name] for name in changes if name == "outputs"}
    request = asked(features(api), **({} if outputs else changes)) | outputs
    answer = api.client.post(INFER, json=request, headers=api.bearer())

    told = answer.json()
    assert (answer.status_code, told["code"]) == (400, "bad_tensor")
    assert answer.headers["x-ratelimit-remaining"] == "999", "it is counted"
    assert reason in told["error"]


def test_too_many_windows_and_too_large_a_body_are_refused(api) -> None:
    bearer = api.bearer()
    many = asked(np.repeat(features(api), 65, axis=0))
    assert api.client.post(INFER, json=many, headers=bearer).status_code == 400

    answer = api.client.post(INFER, content=b" " * 4_000_001, headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (413, "request_entity_too_large")


@pytest.mark.parametrize("item", ["", [""], [[""]]])
def test_data_with_thousands_of_errors_are_refused_with_the_first_of_them(api, item: Any) -> None:
    request = asked(features(api), data=[item] * 20_000)
    answer = api.client.post(INFER, json=request, headers=api.bearer())

    told = answer.json()
    assert (answer.status_code, told["code"]) == (422, "invalid_request")
    assert "should be a valid number" in told["error"]
    assert len(told["error"].split("; ")) <= 4, "one for each way to nest the data, and the remedy"


def test_only_the_first_ten_problems_of_a_request_are_named(api) -> None:
    body = {"holdings": [{"pair": "btc_usdt"}] * 20}
    detail = api.client.post("/api/v1/risk/portfolio", json=body, headers=api.bearer()).json()["detail"]

    assert detail.split("; ") == [f"holdings.{at}.size: Field required" for at in range(10)]


@pytest.mark.parametrize("pair", ["btc_usdt", "nope_usdt"])
@pytest.mark.parametrize("path", ["/v2/models/{}/infer", "/api/v1/stream/{}"])
def test_who_sends_no_token_learns_nothing_of_the_pair(api, path: str, pair: str) -> None:
    method = "POST" if path.startswith("/v2") else "GET"
    answer = api.client.request(method, path.format(pair), json=asked(features(api)) if method == "POST" else None)

    assert answer.status_code == 401
