"""Real candles behind the replay exchange, from fetching to a published model."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.features.windows import make_windows
from make_us_rich.replay import Clock, FolderMarket, ReplayServer

PAIRS = ("btc_usdt", "eth_usdt", "chz_usdt")
TINY = {
    "training__lstm_levels__hidden_size": 8,
    "training__lstm_levels__layers": 1,
    "training__lstm_levels__dropout": 0.0,
    "training__lstm_levels__max_epochs": 1,
    "training__lstm_levels__lookback": 24,
}


@pytest.fixture(scope="module")
def real_exchange(market_data: Path) -> Iterator[ReplayServer]:
    """A year of three pairs, just after the last candle has closed."""
    market = FolderMarket(market_data)
    with ReplayServer(market, Clock(market.default_now(), speed=0)) as server:
        yield server


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, kedro: Any, real_exchange: ReplayServer, make_project: Any) -> Any:
    """A project after one run of all pairs on a year of candles."""
    project = make_project(tmp_path_factory.mktemp("real") / "project", kedro, real_exchange.url)
    project.run(pipeline=None, history_days=365).ok()
    return project


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS)
def test_every_pair_publishes_on_a_year_of_real_candles(real: Any, pair: str) -> None:
    manifest = real.champion(pair).manifest
    assert (manifest.architecture, manifest.data.rows) == ("baseline", 8760)
    assert manifest.data.end == datetime(2025, 5, 30, tzinfo=UTC)
    assert manifest.verdict.publish
    assert real.champion(pair).forecast(real.klines(pair)).pair == pair


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS)
def test_stored_candles_are_those_of_the_file(real: Any, market_data: Path, pair: str) -> None:
    symbol = pair.replace("_", "").upper()
    file = pd.read_csv(market_data / f"{symbol}-1h.csv.gz").tail(8760)
    stored = real.klines(pair)
    opened = stored["timestamp"].astype("int64").to_numpy()
    assert np.array_equal(opened, file["open_time"].to_numpy())
    for column in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(stored[column].to_numpy(), file[column].to_numpy())


@pytest.mark.slow
def test_the_error_of_the_last_close_is_that_of_the_file(real: Any, market_data: Path) -> None:
    """The baseline's point forecast is the last close: its RMSE at one hour follows from the file alone."""
    closes = pd.read_csv(market_data / "BTCUSDT-1h.csv.gz")["close"].tail(8760).to_numpy()
    manifest = real.champion("btc_usdt").manifest
    # The test part is the last tenth; its windows' first targets lie in it, and their last ones exist.
    first = 8760 - 876
    windows = int(manifest.metrics["test_windows"])
    assert windows == 876 - 23
    origins = np.arange(first - 1, first - 1 + windows)
    rmse = np.sqrt(np.mean((closes[origins + 1] - closes[origins]) ** 2))
    assert manifest.metrics["rmse_1h"] == pytest.approx(rmse, rel=1e-4)


@pytest.mark.slow
def test_lstm_levels_publishes_when_it_alone_is_asked_for(real: Any, tmp_path: Path) -> None:
    project = real.copy(tmp_path / "project")
    project.run(history_days=60, architectures="lstm_levels", fetching__enough_candles=1000, **TINY).ok()
    champion = project.champion()
    assert champion.manifest.architecture == "lstm_levels"
    assert champion.manifest.feature_set == "calendar_ohlc"
    assert champion.manifest.metrics["rmse_1h"] > 0
    assert champion.manifest.metrics["baseline_rmse_1h"] > 0
    assert champion.forecast(project.klines()).architecture == "lstm_levels"


@pytest.mark.slow
def test_the_irregular_years_go_through_with_an_honest_report_and_no_window_across_a_gap(
    tmp_path: Path, kedro: Any, market_data: Path, make_project: Any
) -> None:
    market = FolderMarket(market_data / "irregular")
    with ReplayServer(market, Clock(market.default_now(), speed=0)) as server:
        project = make_project(tmp_path / "project", kedro, server.url)
        project.run("--tags=fetching,preprocessing", history_days=1300).ok()
    report = project.read_json("08_reporting", "btc_usdt", "data_report.json")
    assert report["rows_in"] == 28_672
    assert len(report["gaps"]) >= 18
    assert report["issues"]["off_grid"]["count"] == 43
    assert report["missing_hours"] == 108
    klines = project.klines()
    features = pd.read_parquet(project.path("04_feature", "btc_usdt", "returns.parquet"))
    windows = make_windows(features, klines, 168, 24)
    hours = np.diff(windows.timestamps).astype("timedelta64[h]").astype(int)
    breaks = np.flatnonzero(hours != 1)
    assert len(breaks) == len(report["gaps"])
    for at in breaks:
        # A window sees the rows from origin - 167 on and targets up to origin + 24.
        assert not ((windows.origins - 167 <= at) & (at + 1 <= windows.origins + 24)).any()
