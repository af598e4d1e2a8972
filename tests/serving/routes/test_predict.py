"""GET and PUT /api/v1/predict: the forecast from memory, counted, and an error where there is none."""

from datetime import timedelta

import pytest

from make_us_rich.client.schemas import Prediction
from network import refusal

from .conftest import PREDICT

WITHOUT_MODEL = "/api/v1/predict?currency=eth&compare=usdt"
UNKNOWN = "mur_" + "a" * 43


def used(api, bearer: dict[str, str]) -> int:
    calls: int = api.client.get("/api/v1/me", headers=bearer).json()["used"]
    return calls


def test_the_forecast_comes_with_the_usage_by_put_and_get_in_any_case(api) -> None:
    token = api.register().api_token
    by_put = api.client.put(PREDICT, headers={"Authorization": f"Bearer {token}"})
    by_get = api.client.get(f"{PREDICT.replace('btc', 'BTC')}&token={token}")

    assert (by_put.headers["x-ratelimit-limit"], by_put.headers["x-ratelimit-remaining"]) == ("1000", "999")
    assert (by_put.headers["cache-control"], by_put.headers["content-type"]) == ("no-store", "application/json")
    assert int(by_put.headers["x-ratelimit-reset"]) > 0
    assert Prediction.model_validate_json(by_put.content).pair == "btc_usdt"
    assert by_get.json()["forecast"] == by_put.json()["forecast"]


def test_a_login_is_accepted_in_the_header_alone_and_until_log_out(api) -> None:
    token = api.register().login_token
    login = {"Authorization": f"Bearer {token}"}

    assert api.client.get(PREDICT, headers=login).status_code == 200
    assert api.client.get(f"{PREDICT}&token={token}").status_code == 401
    api.client.post("/api/v1/logout", headers=login)
    assert api.client.get(PREDICT, headers=login).status_code == 401


@pytest.mark.parametrize(
    ("query", "authorization", "expected"),
    [
        ("currency=btc&compare=usdt", "", (401, "unauthorized")),
        ("currency=btc&compare=usdt", "Basic YTpi", (401, "unauthorized")),
        ("currency=btc&compare=usdt", "Bearer nonsense", (401, "unauthorized")),
        (f"currency=btc&compare=usdt&token={UNKNOWN}", "", (401, "unauthorized")),
        ("currency=doge&compare=usdt", "", (404, "unknown_pair")),
        ("currency=%E5%B8%81&compare=usdt", "", (404, "unknown_pair")),
        ("currency=%00%ff&compare=usdt", "", (404, "unknown_pair")),
        ("currency=btc", "", (422, "invalid_request")),
        ("currency=&compare=usdt", "", (422, "invalid_request")),
    ],
)
def test_a_wrong_request_is_refused(api, query: str, authorization: str, expected: tuple[int, str]) -> None:
    headers = {"Authorization": authorization} if authorization else {}

    assert refusal(api.client.get(f"/api/v1/predict?{query}", headers=headers)) == expected


def test_an_error_is_reported_as_problem_details_with_the_clients_request_id_if_it_is_valid(api) -> None:
    for sent in ("x" * 65, "a b"):
        assert api.client.get("/healthz", headers={"X-Request-ID": sent}).headers["x-request-id"] != sent

    answer = api.client.get("/api/v1/forecasts/doge usdt?token=secret", headers={"X-Request-ID": "theirs-1"})
    assert answer.headers["x-request-id"] == "theirs-1"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:problem-type:make-us-rich:unknown_pair",
        "title": "Unknown pair",
        "status": 404,
        "detail": "doge usdt is not served",
        "instance": "/api/v1/forecasts/doge%20usdt",
        "code": "unknown_pair",
        "remedy": "choose one of GET /api/v1/pairs",
        "request_id": "theirs-1",
    }


def test_a_used_up_quota_is_429_with_its_reset(api) -> None:
    bearer = api.poor(2)
    *answers, refused = [api.client.put(PREDICT, headers=bearer) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert refusal(refused) == (429, "quota_exceeded")
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert int(refused.headers["retry-after"]) > 0


def test_without_a_forecast_it_is_503_and_not_counted_after_token_and_quota(api) -> None:
    bearer = api.bearer()

    assert refusal(api.client.put(WITHOUT_MODEL, headers=bearer)) == (503, "no_forecast")
    assert used(api, bearer) == 0
    for headers, code in (({}, "unauthorized"), ({"Authorization": f"Bearer {UNKNOWN}"}, "unauthorized")):
        assert refusal(api.client.put(WITHOUT_MODEL, headers=headers)) == (401, code)
    assert refusal(api.client.put(WITHOUT_MODEL, headers=api.poor(0))) == (429, "quota_exceeded")


def test_an_old_forecast_is_stale_and_expires_with_its_last_hour(start_api, monkeypatch: pytest.MonkeyPatch) -> None:
    api = start_api()
    bearer, now = api.bearer(), api.service.candles.now()
    api.exchange.stop()
    api.service.refresh_candles()
    monkeypatch.setattr(api.service.candles, "now", lambda: now + timedelta(hours=2))
    stale = api.client.put(PREDICT, headers=bearer).json()
    monkeypatch.setattr(api.service.candles, "now", lambda: now + timedelta(hours=24))
    expired = api.client.put(PREDICT, headers=bearer)

    assert (stale["stale"], stale["age_seconds"] >= 9_000) == (True, True)
    assert "cannot be reached" in stale["stale_reason"]
    assert expired.status_code == 503
    assert "the forecast of 2025-03-01 10:00 UTC is over" in expired.text


def test_an_unexpected_error_is_500_without_details_and_not_counted(api, monkeypatch: pytest.MonkeyPatch) -> None:
    bearer = api.bearer()

    def fail(pair: str) -> None:
        raise RuntimeError("internal detail")

    with monkeypatch.context() as broken:
        broken.setattr(api.service, "get", fail)
        answer = api.client.put(PREDICT, headers=bearer)
    assert refusal(answer) == (500, "internal_error")
    assert answer.headers["x-request-id"] in answer.text
    assert "internal detail" not in answer.text
    api.client.put(PREDICT, headers=bearer)
    assert used(api, bearer) == 1
