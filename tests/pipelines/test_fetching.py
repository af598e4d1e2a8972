"""Fetching: its nodes, and the pipeline run by Kedro against the replay exchange with files that stay."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner

from make_us_rich.domain.errors import DataError, ExchangeError
from make_us_rich.domain.pair import Pair
from make_us_rich.domain.run import RunContext
from make_us_rich.exchange import Retries
from make_us_rich.klines.frame import empty_klines, to_klines
from make_us_rich.klines.report import DataReport
from make_us_rich.pipelines.fetching.nodes import FetchingParameters, check_klines, fetch_missing
from make_us_rich.pipelines.fetching.pipeline import create_pipeline
from make_us_rich.replay import Faults, ReplayServer, SimulatedMarket

NOW = datetime(2025, 5, 14, 10, 30, tzinfo=UTC)
START = datetime(2025, 3, 1, tzinfo=UTC)
START_MS = 1_740_787_200_000
HOUR = timedelta(hours=1)
RULES = FetchingParameters(
    recent_days=2, max_missing_share=0.05, frozen_hours=3, min_training_candles=10, min_candles=5
)
RUN = RunContext(Pair("btc", "usdt"), "2025-03-05T00.00.00.000Z", START, "unknown")


def hours(first, last):
    rows = []
    for hour in range(first, last):
        opened = START_MS + hour * 3_600_000
        rows.append([opened, "100", "102", "98", "101", "5", opened + 3_599_999, "500", 9, "2", "200", "0"])
    return to_klines(rows, "BTCUSDT")


class Source:
    """An exchange at a quarter past an hour, with all candles; it notes what is requested."""

    simulated = True

    def __init__(self, hour):
        self.time = START + (hour + 0.25) * HOUR
        self.requests = []

    def now(self):
        return self.time

    def status(self, pair):
        self.requests.append("status")
        return "TRADING"

    def klines(self, pair, start, end):
        first, last = ((moment - START) // HOUR for moment in (start, end))
        self.requests.append((first, last))
        return hours(first, last)


@given(st.sets(st.integers(0, 99)), st.integers(100, 130), st.integers(1, 6))
def test_two_fetches_leave_no_candle_of_late_missing_and_request_nothing_twice(there, hour, days):
    source = Source(hour)
    stored = hours(0, 100).loc[sorted(there)].reset_index(drop=True)
    klines, _ = fetch_missing(source, stored, days, RUN, RULES)
    assert len(source.requests) <= 2
    again, _ = fetch_missing(source, klines, days, RUN, RULES)
    assert len(source.requests) <= 2
    pd.testing.assert_frame_equal(again, klines)
    wanted = {START + at * HOUR for at in range(hour - 24 * days, hour)}
    assert wanted <= set(klines["timestamp"])


def test_status_is_requested_where_candles_are_stale():
    stale = Source(hour=300)
    stale.klines = lambda pair, start, end: hours(0, 100)
    _, info = fetch_missing(stale, empty_klines(), 3, RUN, RULES)
    assert (info["status"], stale.requests) == ("TRADING", ["status"])


def test_corrected_candle_is_taken_over_logged_and_reported(caplog):
    stored = hours(0, 100)
    stored.loc[99, "close"] *= 1.002
    klines, info = fetch_missing(Source(hour=101), stored, 3, RUN, RULES)
    pd.testing.assert_frame_equal(klines, hours(0, 101))
    assert "the exchange has corrected 1 stored candles from 2025-03-05 03:00" in caplog.text
    _, record = check_klines(klines, info, RUN, RULES)
    assert DataReport.model_validate(record).corrected.examples == (START + 99 * HOUR,)


def test_delisted_pair_stops_the_run_with_its_remedy():
    message = r"^BTC_USDT: the pair is delisted, its last candle is 2025-03-05 03:00 UTC; remove it from `pairs`"
    with pytest.raises(DataError, match=message):
        check_klines(hours(0, 100), {"now": "2025-06-01T00:15:00+00:00", "status": "BREAK"}, RUN, RULES)


# The pipeline


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[..., DataCatalog]:
    """Run the pipeline once, as a process of its own would: with a new catalog."""
    files = {
        "stored_klines": ("OptionalKlinesDataset", "raw.parquet"),
        "raw_klines": ("ParquetDataset", "raw.parquet"),
        "klines": ("ParquetDataset", "klines.parquet"),
        "data_report": ("JSONDataset", "report.json"),
    }
    datasets = {
        name: {"type": f"make_us_rich.datasets.files.{kind}", "filepath": str(tmp_path / file)}
        for name, (kind, file) in files.items()
    }
    rules = RULES.model_copy(update={"recent_days": 8, "min_training_candles": 2000, "min_candles": 240})

    def run(server: ReplayServer, history_days: int = 365) -> DataCatalog:
        exchange = {"type": "make_us_rich.datasets.exchange_klines.ExchangeKlinesDataset", "url": server.url}
        catalog = DataCatalog.from_config({"exchange_klines": exchange, **datasets})
        catalog["run"] = RUN
        catalog["params:history_days"] = history_days
        catalog["params:fetching"] = rules
        SequentialRunner().run(create_pipeline(), catalog)
        return catalog

    return run


@pytest.fixture
def simulated(serve: Callable[..., ReplayServer]) -> ReplayServer:
    """An exchange with a simulated market, half past ten."""
    return serve(SimulatedMarket(seed=5), NOW)


def asked(server: ReplayServer) -> list[str]:
    """The requests since the last call."""
    endpoints = [path.removeprefix("/api/v3/") for path, _ in server.requests]
    server.requests.clear()
    return endpoints


def test_second_fetch_requests_only_what_is_new_in_one_request(simulated, fetch):
    fetch(simulated)
    assert asked(simulated) == ["time"] + ["klines"] * 9
    fetch(simulated)
    assert asked(simulated) == ["time"]
    simulated.clock.advance(HOUR)
    catalog = fetch(simulated)
    assert asked(simulated) == ["time", "klines"]
    report = catalog.load("data_report")
    assert (report["rows_out"], report["fresh"], report["valid"], report["simulated"]) == (8761, True, True, True)


@pytest.mark.parametrize("kind", ["drop", "truncate", "5xx", "429", "418", "451"])
def test_failed_fetch_changes_nothing_that_is_stored(simulated, fetch, tmp_path, monkeypatch, kind):
    monkeypatch.setattr("make_us_rich.exchange.client.Retries", lambda: Retries(max_attempts=1))
    fetch(simulated, history_days=20)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    simulated.clock.advance(24 * HOUR)
    simulated.faults = Faults({kind: 1.0}, retry_after=3600)
    with pytest.raises(ExchangeError):
        fetch(simulated, history_days=20)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_candles_that_the_exchange_leaves_out_are_gaps_and_come_later(simulated, fetch):
    simulated.faults = Faults({"gaps": 0.02}, seed=2)
    report = fetch(simulated).load("data_report")
    assert report["missing_hours"] > 100
    assert report["rows_out"] + report["missing_hours"] == report["hours"]
    assert not report["valid"]
    simulated.faults = Faults()
    simulated.clock.advance(HOUR)
    asked(simulated)
    second = fetch(simulated)
    assert asked(simulated) == ["time", "klines"]
    recent = NOW - timedelta(days=6)
    assert not [gap for gap in second.load("data_report")["gaps"] if pd.Timestamp(gap["end"]) > recent]


def test_irregular_history_comes_through_the_exchange_as_it_was(serve, fetch, market_data):
    # The hour after the file's last candle, 2020-11-28 07:00, has begun.
    server = serve(market_data / "irregular", datetime(2020, 11, 28, 8, 20, tzinfo=UTC))
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
