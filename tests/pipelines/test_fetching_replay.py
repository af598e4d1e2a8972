"""The fetching pipeline, run by Kedro against the replay exchange, with files that stay."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner

from make_us_rich.domain.errors import ExchangeError, MakeUsRichError
from make_us_rich.domain.pair import Pair
from make_us_rich.domain.run import RunContext
from make_us_rich.exchange import Retries
from make_us_rich.pipelines.fetching.parameters import FetchingParameters
from make_us_rich.pipelines.fetching.pipeline import create_pipeline
from make_us_rich.replay import Clock, Faults, FolderMarket, ReplayServer, SimulatedMarket

NOW = datetime(2025, 5, 14, 10, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
PARAMETERS = FetchingParameters(
    recent_days=8, max_missing_share=0.05, frozen_hours=3, enough_candles=2000, fewest_candles=240
)
DATASETS = "make_us_rich.datasets"


@pytest.fixture
def serve() -> Iterator[Callable[..., ReplayServer]]:
    with ExitStack() as stack:

        def start(market: Any = None, now: datetime = NOW) -> ReplayServer:
            server = ReplayServer(market or SimulatedMarket(seed=5), clock=Clock(now, speed=0))
            return stack.enter_context(server)

        yield start


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[..., DataCatalog]:
    """Run the pipeline once, as a process of its own would: with a new catalog."""

    def run(server: ReplayServer, history_days: int = 365) -> DataCatalog:
        raw = str(tmp_path / "raw.parquet")
        config = {
            "exchange_klines": {
                "type": f"{DATASETS}.exchange_klines.ExchangeKlinesDataset",
                "url": server.url,
                "pair": "btc_usdt",
            },
            "stored_klines": {"type": f"{DATASETS}.stored_klines.StoredKlinesDataset", "filepath": raw},
            "raw_klines": {"type": f"{DATASETS}.atomic.ParquetDataset", "filepath": raw},
            "klines": {
                "type": f"{DATASETS}.atomic.ParquetDataset",
                "filepath": str(tmp_path / "klines.parquet"),
            },
            "data_report": {
                "type": f"{DATASETS}.atomic.JSONDataset",
                "filepath": str(tmp_path / "report.json"),
            },
        }
        catalog = DataCatalog.from_config(config)
        catalog["run"] = RunContext(Pair("btc", "usdt"), "1", NOW, "unknown")
        catalog["params:history_days"] = history_days
        catalog["params:fetching"] = PARAMETERS
        SequentialRunner().run(create_pipeline(), catalog)
        return catalog

    return run


def asked(server: ReplayServer) -> list[str]:
    """What was asked since the last look."""
    questions = [path.removeprefix("/api/v3/") for path, _ in server.requests]
    server.requests.clear()
    return questions


def test_second_fetch_asks_only_for_what_is_new_in_one_call(serve, fetch):
    server = serve()
    fetch(server)
    assert asked(server) == ["time"] + ["klines"] * 9
    fetch(server)
    assert asked(server) == ["time"]
    server.clock.advance(HOUR)
    catalog = fetch(server)
    assert asked(server) == ["time", "klines"]
    assert len(catalog.load("raw_klines")) == 8761
    report = catalog.load("data_report")
    assert (report["rows_out"], report["fresh"], report["whole"]) == (8761, True, True)


def test_young_pair_is_fetched_in_one_call_an_hour_too(serve, fetch, market_data):
    server = serve(FolderMarket(market_data), now=datetime(2024, 5, 20, 10, 30, tzinfo=UTC))
    fetch(server)
    asked(server)
    server.clock.advance(HOUR)
    catalog = fetch(server)
    assert asked(server) == ["time", "klines"]
    assert len(catalog.load("klines")) == 19 * 24 + 11


def test_days_that_the_machine_was_off_are_caught_up(serve, fetch):
    server = serve()
    fetch(server, history_days=30)
    asked(server)
    server.clock.advance(timedelta(days=90))
    report = fetch(server, history_days=30).load("data_report")
    assert asked(server) == ["time"] + ["klines"] * 3
    assert (report["rows_out"], report["gaps"], report["fresh"]) == (120 * 24, [], True)


@pytest.mark.parametrize("kind", ["drop", "truncate", "5xx", "429", "418", "451"])
def test_failed_fetch_changes_nothing_that_is_stored(serve, fetch, tmp_path, monkeypatch, kind):
    impatient = Retries(sleep=lambda seconds: None)
    monkeypatch.setattr("make_us_rich.exchange.client.Retries", lambda: impatient)
    server = serve()
    fetch(server, history_days=20)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    server.clock.advance(24 * HOUR)
    server.faults = Faults({kind: 1.0}, retry_after=3600)
    with pytest.raises(ExchangeError):
        fetch(server, history_days=20)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_exchange_that_is_down_changes_nothing_that_is_stored(serve, fetch, tmp_path):
    server = serve()
    fetch(server, history_days=20)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    server.stop()
    with pytest.raises(MakeUsRichError, match="connection refused"):
        fetch(server, history_days=20)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_failure_within_a_year_changes_nothing_that_is_stored(serve, fetch, tmp_path):
    server = serve()
    fetch(server, history_days=20)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    asked(server)
    server.faults = Faults({"451": 0.3}, seed=17)
    with pytest.raises(ExchangeError, match="HTTP 451"):
        fetch(server, history_days=2000)
    assert asked(server).count("klines") > 3
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_candles_that_the_exchange_leaves_out_are_gaps_and_come_later(serve, fetch):
    server = serve()
    server.faults = Faults({"gaps": 0.02}, seed=2)
    report = fetch(server).load("data_report")
    assert report["missing_hours"] > 100
    assert report["rows_out"] + report["missing_hours"] == report["hours"]
    assert not report["whole"]
    server.faults = Faults()
    server.clock.advance(HOUR)
    asked(server)
    second = fetch(server)
    assert asked(server) == ["time", "klines"]
    recent = NOW - timedelta(days=6)
    assert not [gap for gap in second.load("data_report")["gaps"] if pd.Timestamp(gap["end"]) > recent]


def test_irregular_history_comes_through_the_exchange_as_it_was(serve, fetch, market_data):
    # The hour after the file's last candle, 2020-11-28 07:00, has begun.
    server = serve(FolderMarket(market_data / "irregular"), now=datetime(2020, 11, 28, 8, 20, tzinfo=UTC))
    catalog = fetch(server, history_days=1200)
    report = catalog.load("data_report")
    issues = {name: issue["count"] for name, issue in report["issues"].items() if issue["count"]}
    assert issues == {"off_grid": 43, "odd_close": 9, "no_trade": 1}
    assert (len(report["gaps"]), report["missing_hours"], report["gap_hours"]) == (18, 108, 151)
    assert (report["rows_in"], report["rows_out"], report["fresh"]) == (28_672, 28_629, True)
    assert len(catalog.load("klines")) == 28_629
    asked(server)
    fetch(server, history_days=1200)
    assert asked(server) == ["time"]
