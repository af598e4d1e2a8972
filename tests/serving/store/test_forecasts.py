"""Forecasts: one for each model and closed candle, as the model makes it, and never older than it says."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from make_us_rich.catalog import load_champion, open_catalog
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.replay import Faults, ReplayServer
from serving.schemas import Prediction
from serving.store.rendering import render
from serving.store.stores import Stores
from synthetic import store

NOW = datetime(2025, 3, 1, 10, 30, tzinfo=UTC)
TEN = datetime(2025, 3, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEXT = "2025-01-01T01.05.00.000Z"
Open = Callable[..., Stores]


def filled(stores_of: Open) -> Stores:
    stores = stores_of()
    stores.refresh_models()
    stores.refresh_candles()
    return stores


def answer(stores: Stores, now: datetime = NOW) -> dict[str, Any]:
    issued = stores.forecasts.get("btc_usdt")
    assert issued is not None
    made: dict[str, Any] = json.loads(issued.body(now, stores.forecasts.problem("btc_usdt")))
    return made


def test_the_answer_is_what_the_model_forecasts(stores_of: Open, project: Path) -> None:
    stores = filled(stores_of)
    candles = stores.candles.get("btc_usdt")
    assert candles is not None
    forecast = load_champion(open_catalog("base", project), "btc_usdt").forecast(candles.frame)

    made = answer(stores)
    assert made["forecast"]["issued_at"] == "2025-03-01T10:00:00Z"
    assert made["forecast"]["last_close"] == forecast.last_close
    assert made["forecast"]["levels"] == list(forecast.levels)
    for row, expected in zip(made["forecast"]["quantiles"], forecast.quantiles, strict=True):
        assert row == pytest.approx(expected, rel=1e-9)


def test_the_answer_is_as_documented(stores_of: Open) -> None:
    assert Prediction.model_validate(answer(filled(stores_of)))


def test_five_days_of_candles_come_with_it(stores_of: Open) -> None:
    data = answer(filled(stores_of))["data"]

    assert {name: len(column) for name, column in data.items()} == dict.fromkeys(
        ("timestamp", "open", "high", "low", "close", "volume"), 120
    )
    assert (data["timestamp"][0], data["timestamp"][-1]) == ("2025-02-24T10:00:00Z", "2025-03-01T09:00:00Z")


def test_without_an_edge_the_prediction_is_the_last_close_and_says_so(stores_of: Open) -> None:
    made = answer(filled(stores_of))

    assert made["prediction"] == pytest.approx(made["data"]["close"][-1], rel=1e-9)
    assert made["prediction_at"] == "2025-03-01T11:00:00Z"
    assert made["forecast"]["edge"] == {"proven": False, "reason": "no edge: the point forecast is the last close"}


def test_the_age_is_that_of_the_moment(stores_of: Open) -> None:
    made = answer(filled(stores_of), TEN + timedelta(seconds=90))

    assert (made["age_seconds"], made["stale"], made["stale_reason"]) == (90, False, None)


def test_an_old_forecast_is_marked_and_speaks_of_the_next_hour(stores_of: Open, exchange: ReplayServer) -> None:
    stores = filled(stores_of)
    exchange.stop()
    stores.refresh_candles()
    made = answer(stores, TEN + 3.5 * HOUR)

    assert (made["age_seconds"], made["stale"]) == (12_600, True)
    assert made["prediction_at"] == "2025-03-01T14:00:00Z"
    assert "cannot be reached" in made["stale_reason"]


def test_a_forecast_expires_with_its_last_hour(stores_of: Open) -> None:
    issued = filled(stores_of).forecasts.get("btc_usdt")
    assert issued is not None

    assert not issued.expired(TEN + 24 * HOUR - timedelta(seconds=1))
    assert issued.expired(TEN + 24 * HOUR)


def test_the_baseline_is_beside_it_where_it_is_what_is_served(stores_of: Open) -> None:
    made = answer(filled(stores_of))["forecast"]

    assert made["architecture"] == "baseline"
    assert made["baseline"]["quantiles"] == made["quantiles"]


def test_a_forecast_in_the_models_place_says_so_and_has_neither_its_widths_nor_its_edge(stores_of: Open) -> None:
    stores = filled(stores_of)
    served, candles, issued = (each.get("btc_usdt") for each in (stores.models, stores.candles, stores.forecasts))
    assert served
    assert candles
    assert issued
    stood_in = replace(issued.forecast, stand_in="har cannot forecast: there is a gap")

    made = json.loads(b"{" + render(served, stood_in, candles.frame))["forecast"]

    assert (made["stand_in"], made["calibration"]) == (stood_in.stand_in, None)
    assert made["edge"] == {"proven": False, "reason": stood_in.stand_in}
    assert answer(stores)["forecast"]["stand_in"] is None


def test_it_is_made_once_a_candle(stores_of: Open, exchange: ReplayServer) -> None:
    stores = filled(stores_of)
    told: list[str] = []
    stores.forecasts.listen(told.append)
    first = stores.forecasts.get("btc_usdt")
    stores.refresh_candles()
    stores.refresh_models()
    assert stores.forecasts.get("btc_usdt") is first
    assert told == []

    exchange.clock.advance(HOUR)
    stores.refresh_candles()
    assert answer(stores)["forecast"]["issued_at"] == "2025-03-01T11:00:00Z"
    assert told == ["btc_usdt"]


def test_a_new_champion_forecasts_from_the_same_candle(stores_of: Open, project: Path) -> None:
    stores = filled(stores_of)
    store(project, NEXT)
    stores.refresh_models()

    assert answer(stores)["forecast"]["version"] == NEXT


def test_new_widths_make_a_new_forecast(stores_of: Open, project: Path) -> None:
    stores = filled(stores_of)
    before = answer(stores)["forecast"]
    widths = {"version": before["version"], "at": TEN.isoformat(), "forecasts": 900, "factors": [2.0] * 24}
    record = widths | {"coverage_before": [0.7] * 24, "coverage_after": [0.8] * 24}
    (project / "data/06_models/btc_usdt/widths.json").write_text(json.dumps(record))
    stores.refresh_models()

    after = answer(stores)["forecast"]
    assert after["calibration"]["factors"] == [2.0] * 24
    assert after["quantiles"][0][-1] / after["last_close"] == pytest.approx(
        (before["quantiles"][0][-1] / before["last_close"]) ** 2, rel=1e-6
    )


def test_candles_with_a_gap_leave_the_last_forecast(stores_of: Open, exchange: ReplayServer) -> None:
    stores = stores_of()
    stores.refresh_models()
    exchange.faults = Faults({"gaps": 0.2})
    stores.refresh_candles()
    assert stores.forecasts.get("btc_usdt") is None
    assert "a forecast needs" in str(stores.forecasts.problem("btc_usdt"))


def test_a_graph_that_answers_nonsense_is_refused(stores_of: Open) -> None:
    stores = filled(stores_of)
    served = stores.models.get("btc_usdt")
    assert served is not None
    graph = served.champion._graph
    graph.quantiles = lambda inputs: graph.__class__.quantiles(graph, inputs) * float("nan")  # type: ignore[method-assign]

    with pytest.raises(ArtifactError, match="its quantiles are not finite prices in order; roll back"):
        stores.forecasts.try_out(served.champion)
