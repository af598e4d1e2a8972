"""GET and PUT /api/v1/predict: the forecast from memory, counted, and honest where there is none."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from make_us_rich.replay import ReplayServer
from serving.schemas import Prediction
from serving.store.stores import Stores

pytestmark = pytest.mark.parametrize("place", ["files", "servers"], indirect=True)

PREDICT = "/api/v1/predict?currency=btc&compare=usdt"


def test_the_forecast_is_answered_with_its_usage(api) -> None:
    answer = api.client.put(PREDICT, headers=api.bearer())

    assert answer.status_code == 200
    assert Prediction.model_validate_json(answer.content).pair == "btc_usdt"
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("1000", "999")
    assert int(answer.headers["x-ratelimit-reset"]) > 0


def test_get_and_the_token_in_the_query_do_the_same(api) -> None:
    token = api.register().api_token
    by_put = api.client.put(PREDICT, headers={"Authorization": f"Bearer {token}"}).json()
    by_get = api.client.get(f"{PREDICT}&token={token}").json()

    assert by_get["forecast"] == by_put["forecast"]


def test_a_login_in_the_header_does_and_one_in_the_query_does_not(api) -> None:
    login = api.register().login_token

    assert api.client.get(PREDICT, headers={"Authorization": f"Bearer {login}"}).status_code == 200
    assert api.client.get(f"{PREDICT}&token={login}").status_code == 401


def test_a_login_is_dead_for_forecasts_at_log_out(api) -> None:
    login = {"Authorization": f"Bearer {api.register().login_token}"}
    api.client.get(PREDICT, headers=login)
    api.client.post("/api/v1/logout", headers=login)

    assert api.client.get(PREDICT, headers=login).status_code == 401


def test_currencies_may_be_written_in_capitals(api) -> None:
    answer = api.client.get("/api/v1/predict?currency=BTC&compare=USDT", headers=api.bearer())

    assert answer.json()["pair"] == "btc_usdt"


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ("currency=btc&compare=usdt", {}, 401, "unauthorized"),
        ("currency=btc&compare=usdt", {"Authorization": "Basic YTpi"}, 401, "unauthorized"),
        ("currency=btc&compare=usdt", {"Authorization": "Bearer nonsense"}, 401, "unauthorized"),
        ("currency=btc&compare=usdt&token=mur_" + "a" * 43, {}, 401, "unauthorized"),
        ("currency=doge&compare=usdt", {}, 404, "unknown_pair"),
        ("currency=btc", {}, 422, "invalid_request"),
        ("currency=b&compare=usdt", {}, 422, "invalid_request"),
        ("currency=%00%ff&compare=usdt", {}, 422, "invalid_request"),
    ],
)
def test_a_wrong_request_is_refused(api, query: str, headers: dict[str, str], status: int, code: str) -> None:
    answer = api.client.get(f"/api/v1/predict?{query}", headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_quota_that_is_used_up_is_429_with_the_reset(api_of) -> None:
    api = api_of(monthly_calls=2)
    api.stores.refresh_models()
    api.stores.refresh_candles()
    bearer = api.bearer()
    answers = [api.client.put(PREDICT, headers=bearer) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["error"]["code"] == "quota_exceeded"
    assert answers[2].headers["x-ratelimit-remaining"] == "0"
    assert int(answers[2].headers["retry-after"]) > 0


@pytest.fixture
def without_forecast(api_of, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """The API before its stores have been read."""

    def start(**settings: object) -> object:
        with monkeypatch.context() as held:
            # What is refreshed at the start would otherwise be there before or after the question.
            held.setattr(Stores, "refresh_models", lambda _: None)
            held.setattr(Stores, "refresh_candles", lambda _: None)
            return api_of(**settings)

    return start


def test_without_a_forecast_it_is_503_with_a_reason_and_not_charged(without_forecast) -> None:
    api = without_forecast()
    bearer = api.bearer()
    answer = api.client.put(PREDICT, headers=bearer)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_forecast")

    api.stores.refresh_models()
    api.stores.refresh_candles()
    assert api.client.put(PREDICT, headers=bearer).headers["x-ratelimit-remaining"] == "999"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer mur_" + "a" * 43}], ids=["no token", "unknown"])
def test_without_a_forecast_a_bad_token_is_told_nothing_but_that(without_forecast, headers: dict[str, str]) -> None:
    answer = without_forecast().client.put(PREDICT, headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


def test_without_a_forecast_a_quota_that_is_used_up_is_429(without_forecast) -> None:
    api = without_forecast(monthly_calls=0)
    answer = api.client.put(PREDICT, headers=api.bearer())

    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "quota_exceeded")


def test_a_forecast_whose_hours_are_over_is_not_answered(api, monkeypatch: pytest.MonkeyPatch) -> None:
    bearer = api.bearer()
    candles = api.stores.candles
    late = candles.now() + timedelta(hours=24)
    monkeypatch.setattr(candles, "now", lambda: late)
    answer = api.client.put(PREDICT, headers=bearer)

    assert answer.status_code == 503
    assert "the forecast of 2025-03-01 10:00 UTC is over" in answer.json()["error"]["message"]


def test_an_exchange_that_is_down_leaves_the_forecast_with_its_age(
    api, exchange: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.stop()
    api.stores.refresh_candles()
    late = api.stores.candles.now() + timedelta(hours=2)
    monkeypatch.setattr(api.stores.candles, "now", lambda: late)
    made = api.client.put(PREDICT, headers=api.bearer()).json()

    assert made["stale"]
    assert made["age_seconds"] >= 9_000
    assert "cannot be reached" in made["stale_reason"]


def test_an_unforeseen_failure_is_500_in_the_one_shape_and_not_charged(
    api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bearer = api.bearer()

    def fail(pair: str) -> None:
        raise RuntimeError("a secret of the inside")

    with monkeypatch.context() as broken:
        broken.setattr(api.stores.forecasts, "get", fail)
        answer = api.client.put(PREDICT, headers=bearer)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text
    assert api.client.put(PREDICT, headers=bearer).headers["x-ratelimit-remaining"] == "999"


def test_the_callers_request_id_is_kept_and_a_bad_one_replaced(api) -> None:
    ask: Callable[[str], str] = lambda given: api.client.get(  # noqa: E731
        "/healthz", headers={"X-Request-ID": given}
    ).headers["x-request-id"]

    assert ask("theirs-1") == "theirs-1"
    assert ask("x" * 65) != "x" * 65
