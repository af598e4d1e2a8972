"""The Open Inference Protocol: features in, the quantiles that are served out."""

import json
from typing import Any

import numpy as np
import pytest

from make_us_rich.features.feature_set import compute_features

pytestmark = pytest.mark.parametrize("place", ["files", "servers"], indirect=True)

INFER = "/v2/models/btc_usdt/infer"


def features(api) -> np.ndarray:
    """The newest input of the model, ``[1, lookback, feature]``."""
    manifest = api.stores.models.get("btc_usdt").manifest
    frame = compute_features(manifest.feature_set, api.stores.candles.get("btc_usdt").frame)
    return frame[list(manifest.columns)].tail(manifest.lookback).to_numpy(np.float32)[None]


def asked(inputs: np.ndarray, **changes: Any) -> dict[str, Any]:
    tensor = {"name": "features", "shape": list(inputs.shape), "datatype": "FP32", "data": inputs.ravel().tolist()}
    return {"id": "42", "inputs": [tensor | changes]}


def test_the_metadata_name_both_ends(api) -> None:
    told = api.client.get("/v2/models/btc_usdt").json()

    assert told["inputs"] == [{"name": "features", "datatype": "FP32", "shape": [-1, 24, 12]}]
    assert told["outputs"] == [{"name": "quantiles", "datatype": "FP32", "shape": [-1, 24, 7]}]
    assert api.client.get("/v2/models/btc_usdt/ready").json() == {"ready": True}
    assert api.client.get("/v2/health/live").json() == {"live": True}


@pytest.mark.parametrize("nested", [False, True])
def test_the_forecast_comes_out_where_its_features_go_in(api, nested: bool) -> None:
    inputs = features(api)
    data = inputs.tolist() if nested else inputs.ravel().tolist()
    answer = api.client.post(INFER, json=asked(inputs, data=data), headers=api.bearer())
    forecast = api.stores.forecasts.get("btc_usdt").forecast

    told = answer.json()
    assert (told["id"], told["model_name"], told["model_version"]) == ("42", "btc_usdt", forecast.version)
    (output,) = told["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("quantiles", "FP32", [1, 24, 7])
    prices = forecast.last_close * np.exp(np.reshape(output["data"], (24, 7)))
    assert prices == pytest.approx(np.asarray(forecast.quantiles), rel=1e-6)
    assert answer.headers["x-ratelimit-remaining"] == "999"


def test_several_windows_at_once(api) -> None:
    inputs = np.repeat(features(api), 3, axis=0)
    (output,) = api.client.post(INFER, json=asked(inputs), headers=api.bearer()).json()["outputs"]

    assert output["shape"] == [3, 24, 7]
    first, second, third = np.reshape(output["data"], (3, -1))
    assert (first == second).all()
    assert (first == third).all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "inputs"}, "name it 'features'"),
        ({"datatype": "INT64"}, "send FP32"),
        ({"shape": [1, 24, 11]}, "send [windows, 24, 12]"),
        ({"data": [1.0, 2.0]}, "there are 2 numbers"),
        ({"data": [[1.0, 2.0], [3.0]]}, "ragged"),
        ({"data": [1e39] * 288}, "a feature is not finite"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(api, changes: dict[str, Any], reason: str) -> None:
    answer = api.client.post(INFER, json=asked(features(api), **changes), headers=api.bearer())

    told = answer.json()
    assert (answer.status_code, told["code"]) == (400, "bad_tensor")
    assert reason in told["error"]


def test_nan_is_refused_where_a_client_manages_to_send_it(api) -> None:
    body = json.dumps(asked(features(api), data=[float("nan")] * 288))
    headers = {**api.bearer(), "Content-Type": "application/json"}

    assert api.client.post(INFER, content=body, headers=headers).status_code in (400, 422)


def test_too_many_windows_and_too_large_a_body_are_refused(api) -> None:
    bearer = api.bearer()
    many = asked(np.repeat(features(api), 65, axis=0))
    assert api.client.post(INFER, json=many, headers=bearer).status_code == 400

    answer = api.client.post(INFER, content=b" " * 4_000_001, headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (413, "request_entity_too_large")


def test_it_takes_a_token(api) -> None:
    assert api.client.post(INFER, json=asked(features(api))).status_code == 401


@pytest.mark.parametrize("pair", ["btc_usdt", "nope_usdt", "chz_usdt"])
@pytest.mark.parametrize("path", ["/v2/models/{}/infer", "/api/v1/stream/{}"])
def test_who_sends_no_token_learns_nothing_of_the_pair(api, path: str, pair: str) -> None:
    method = "POST" if path.startswith("/v2") else "GET"
    answer = api.client.request(method, path.format(pair), json=asked(features(api)) if method == "POST" else None)

    assert answer.status_code == 401


def test_json_is_read_though_a_client_does_not_say_what_it_sends(api) -> None:
    answer = api.client.post(INFER, content=json.dumps(asked(features(api))), headers=api.bearer())

    assert answer.status_code == 200


def test_errors_are_a_text_as_the_protocol_wants_them(api) -> None:
    answer = api.client.get("/v2/models/nope_usdt")

    assert answer.status_code == 404
    assert answer.json() == {
        "error": "nope_usdt is not served; choose one of GET /api/v1/pairs",
        "code": "unknown_pair",
        "request_id": answer.headers["x-request-id"],
    }
