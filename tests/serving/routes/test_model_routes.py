"""What is served, which date's champions are, and past forecasts with what came true."""

from datetime import timedelta

import pytest
from httpx import Response

from make_us_rich.replay import ReplayServer
from places import Place
from serving.accounts.tables import ADMIN
from synthetic import VERSION

ON_BOTH = pytest.mark.parametrize("place", ["files", "servers"], indirect=True)
NEXT = "2025-01-01T01.05.00.000Z"  # Promoted on 2025-01-01 at 01:05, an hour after the first.


@ON_BOTH
def test_pairs_say_what_is_served_and_why_not(api_of) -> None:
    api = api_of("btc_usdt", "eth_usdt")
    api.stores.refresh_models()
    api.stores.refresh_candles()
    told = {each["pair"]: each for each in api.client.get("/api/v1/pairs").json()["pairs"]}

    assert told["btc_usdt"] == {
        "pair": "btc_usdt",
        "version": VERSION,
        "architecture": "baseline",
        "issued_at": "2025-03-01T10:00:00Z",
        "problem": None,
    }
    assert told["eth_usdt"]["version"] is None
    assert told["eth_usdt"]["problem"].startswith("eth_usdt: no model is published")


@ON_BOTH
def test_the_loaded_models_are_counted_and_named(api) -> None:
    assert api.client.get("/api/v1/check_models_number").json() == {"number": 1, "models": ["btc_usdt"]}


@ON_BOTH
def test_a_model_shows_its_manifest_and_promotions(api) -> None:
    model = api.client.get("/api/v1/models/btc_usdt").json()

    assert model["version"] == VERSION
    assert model["manifest"]["feature_set"] == "returns"
    assert model["card"] is None
    assert [each["version"] for each in model["promotions"]] == [VERSION]


@ON_BOTH
def test_a_model_shows_its_card(api, place: Place) -> None:
    card = place.project / f"data/06_models/btc_usdt/card.json/{VERSION}/card.json"
    card.parent.mkdir(parents=True)
    card.write_text('{"pair": "btc_usdt"}')
    place.send()
    api.stores.models.reload()

    assert api.client.get("/api/v1/models/btc_usdt").json()["card"] == {"pair": "btc_usdt"}


def code_of(answer: Response) -> str:
    """Of an error in either shape."""
    told = answer.json()
    code: str = told["code"] if "code" in told else told["error"]["code"]
    return code


@ON_BOTH
@pytest.mark.parametrize("path", ["/api/v1/models/{}", "/api/v1/forecasts/{}", "/v2/models/{}", "/v2/models/{}/ready"])
def test_a_pair_that_is_not_configured_is_404_and_one_without_a_model_503(api_of, path: str) -> None:
    api = api_of("btc_usdt", "eth_usdt")
    api.stores.refresh_models()

    assert code_of(api.client.get(path.format("doge_usdt"))) == "unknown_pair"
    answer = api.client.get(path.format("eth_usdt"))
    assert (answer.status_code, code_of(answer)) == (503, "no_model")


@ON_BOTH
def test_an_admin_loads_the_newest_champions(api, place: Place) -> None:
    place.publish(NEXT)
    admin = api.bearer("root", ADMIN)
    assert api.client.put("/api/v1/update_models", headers=admin).json() == {"number": 1, "models": ["btc_usdt"]}

    issued = api.stores.forecasts.get("btc_usdt")
    assert issued is not None
    assert issued.forecast.version == NEXT


def test_a_store_that_is_down_is_503_for_the_admin(api, place: Place) -> None:
    folder = place.project / "data/06_models"
    folder.rename(place.project / "gone")
    folder.write_text("a file where the folder was")
    answer = api.client.put("/api/v1/update_models", headers=api.bearer("root", ADMIN))

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")


@ON_BOTH
@pytest.mark.parametrize("path", ["/api/v1/update_models", "/api/v1/update_date"])
def test_only_admins_change_what_is_served(api, path: str) -> None:
    assert api.client.put(path).status_code == 401
    assert api.client.put(path, headers=api.bearer("ada")).status_code == 403


@ON_BOTH
def test_an_admin_serves_the_champions_of_a_date_and_of_today(api, place: Place) -> None:
    pointer = place.project / "data/06_models/btc_usdt/champion.json"
    place.publish(NEXT)
    pointer.write_text(pointer.read_text().replace("2025-01-01T01:05:00Z", "2025-01-02T01:05:00Z"))
    place.send()
    admin = api.bearer("root", ADMIN)
    past = api.client.put("/api/v1/update_date?date=2025-01-01", headers=admin).json()
    assert (past["as_of"], past["pairs"][0]["version"]) == ("2025-01-01T23:59:59.999999Z", VERSION)

    now = api.client.put("/api/v1/update_date", headers=admin).json()
    assert (now["as_of"], now["pairs"][0]["version"]) == (None, NEXT)


@ON_BOTH
def test_a_date_before_any_model_changes_nothing(api) -> None:
    answer = api.client.put("/api/v1/update_date?date=2024-12-31", headers=api.bearer("root", ADMIN))

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "cannot_roll_back")
    assert answer.json()["error"]["remedy"] == "choose a later date"
    assert api.client.get("/api/v1/check_models_number").json()["number"] == 1


@ON_BOTH
def test_past_forecasts_stand_beside_what_came_true(api) -> None:
    past = api.client.get("/api/v1/forecasts/btc_usdt?horizon=4").json()
    candles = api.stores.candles.get("btc_usdt")
    assert candles is not None
    closes = {opened.isoformat(): close for opened, close in candles.frame.set_index("timestamp")["close"].items()}

    assert past["source"] == "relived"
    assert len(past["forecasts"]) == 7 * 24 + 1
    newest = past["forecasts"][-1]
    assert (newest["issued_at"], newest["closes_at"]) == ("2025-02-28T10:00:00Z", "2025-02-28T14:00:00Z")
    assert newest["last_close"] == pytest.approx(closes["2025-02-28T09:00:00+00:00"], rel=1e-9)
    assert newest["outcome"] == pytest.approx(closes["2025-02-28T13:00:00+00:00"], rel=1e-9)
    inside = [each["quantiles"][1] <= each["outcome"] <= each["quantiles"][5] for each in past["forecasts"]]
    assert past["coverage"]["80"] == pytest.approx(sum(inside) / len(inside))


@ON_BOTH
def test_a_past_forecast_is_what_was_forecast_then(api, exchange: ReplayServer) -> None:
    then = api.stores.forecasts.get("btc_usdt")
    assert then is not None
    exchange.clock.advance(timedelta(hours=30))
    api.stores.refresh_candles()
    past = api.client.get("/api/v1/forecasts/btc_usdt?horizon=24").json()["forecasts"]
    again = next(each for each in past if each["issued_at"] == "2025-03-01T10:00:00Z")

    assert again["quantiles"] == pytest.approx(then.forecast.quantiles[23], rel=1e-6)
