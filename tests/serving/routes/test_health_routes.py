"""Alive, ready, and what is told to Prometheus."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from live_files import write_live
from make_us_rich.replay import ReplayServer
from places import Place

ON_BOTH = pytest.mark.parametrize("place", ["files", "servers"], indirect=True)


def test_it_is_alive_whatever_is_down(api_of) -> None:
    assert api_of().client.get("/healthz").json() == {"status": "alive"}


@ON_BOTH
@pytest.mark.parametrize("path", ["/readyz", "/api/v1/readyz"])
def test_it_is_ready_with_a_model_and_a_database(api, path: str) -> None:
    answer = api.client.get(path)

    assert (answer.status_code, answer.json()) == (
        200,
        {"ready": True, "reasons": [], "degraded": [], "database": True},
    )


@ON_BOTH
def test_it_is_not_ready_without_a_model_and_says_what_to_run(api_of, place: Place) -> None:
    (place.project / "data/06_models/btc_usdt/champion.json").unlink()
    place.send()
    api = api_of()
    api.stores.refresh_models()
    answer = api.client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["btc_usdt: no model is published; run the pair: kedro run --pipeline=btc_usdt"]


def test_it_is_not_ready_without_its_database_and_recovers(api, tmp_path: Path) -> None:
    database = tmp_path / "accounts.db"
    api.client.app.state.accounts.database.engine.dispose()
    database.rename(tmp_path / "away")
    (tmp_path / "accounts.db").mkdir()
    answer = api.client.get("/readyz")
    assert answer.status_code == 503
    assert "the accounts database does not answer" in answer.json()["reasons"][0]

    (tmp_path / "accounts.db").rmdir()
    (tmp_path / "away").rename(database)


@ON_BOTH
def test_an_exchange_that_is_down_is_told_and_what_was_loaded_is_served(api, exchange: ReplayServer) -> None:
    exchange.stop()
    api.stores.refresh_candles()
    answer = api.client.get("/readyz")

    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert "cannot be reached" in answer.json()["degraded"][0]


def test_a_store_that_is_down_is_told_and_what_was_loaded_is_served(api, project: Path) -> None:
    folder = project / "data/06_models"
    folder.rename(project / "gone")
    folder.write_text("a file where the folder was")
    api.stores.refresh_models()
    answer = api.client.get("/v2/health/ready")

    assert (answer.status_code, answer.json()) == (200, {"ready": True})
    assert "move that file away" in api.client.get("/readyz").json()["degraded"][0]


@ON_BOTH
def test_prometheus_is_told_requests_ages_and_quality(api) -> None:
    api.client.get("/api/v1/models/btc_usdt")
    api.client.get("/nowhere/42")
    lines = api.client.get("/metrics").text.splitlines()

    assert 'make_us_rich_requests_total{method="GET",route="/api/v1/models/{pair}",status="200"} 1.0' in lines
    assert 'make_us_rich_requests_total{method="ANY",route="unmatched",status="404"} 1.0' in lines
    assert "make_us_rich_models 1.0" in lines
    names = {line.split("{")[0] for line in lines if not line.startswith("#")}
    wanted = {"model_age_seconds", "data_age_seconds", "problems", "judged_skill", "request_seconds_bucket"}
    assert {f"make_us_rich_{name}" for name in wanted} <= names


@ON_BOTH
def test_metrics_have_the_live_figures(api_of, place: Place) -> None:
    write_live(place.project, datetime(2025, 3, 1, 10, 30, tzinfo=UTC))
    place.send()
    api = api_of()
    api.stores.refresh_models()
    api.stores.live.refresh()
    text = api.client.get("/metrics").text

    for line in (
        'make_us_rich_live_skill{pair="btc_usdt"} 0.021',
        'make_us_rich_live_coverage{interval="80",pair="btc_usdt"} 0.79',
        'make_us_rich_live_forecasts{pair="btc_usdt"} 30.0',
        'make_us_rich_live_holes{pair="btc_usdt"} 3.0',
        'make_us_rich_live_unexplained_holes{pair="btc_usdt"} 1.0',
        'make_us_rich_live_drift{pair="btc_usdt"} 0.4',
        'make_us_rich_live_drifted{pair="btc_usdt"} 0.0',
    ):
        assert line in text.splitlines()
