"""Real candles behind the replay exchange, from fetching to a published model."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.catalog import load_version, open_catalog
from make_us_rich.features.windows import make_windows
from make_us_rich.replay import Clock, FolderMarket, ReplayServer

PAIRS = ("btc_usdt", "eth_usdt", "chz_usdt")
JUDGED = 8 * 504
"""Hours of the configured folds."""
TINY = {
    "architectures": "lstm_levels",
    "training__lstm_levels__hidden_size": 8,
    "training__lstm_levels__layers": 1,
    "training__lstm_levels__dropout": 0.0,
    "training__lstm_levels__max_epochs": 1,
    "training__lstm_levels__lookback": 24,
    "training__lstm_levels__batch_size": 1024,
}


@pytest.fixture(scope="module")
def real_exchange(market_data: Path) -> Iterator[ReplayServer]:
    """A year of three pairs, just after the last candle has closed."""
    market = FolderMarket(market_data)
    with ReplayServer(market, Clock(market.default_now(), speed=0)) as server:
        yield server


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, kedro: Any, real_exchange: ReplayServer, make_project: Any) -> Any:
    """A project after one run of all pairs, as it is configured but for the networks."""
    project = make_project(tmp_path_factory.mktemp("real") / "project", kedro, real_exchange.url)
    project.parameters = {"architectures": "har"}
    project.run(pipeline=None).ok()
    return project


def candles_of(market_data: Path, pair: str) -> pd.DataFrame:
    """The file of a pair."""
    return pd.read_csv(market_data / f"{pair.replace('_', '').upper()}-1h.csv.gz")


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS)
def test_every_pair_publishes_on_a_year_of_real_candles(real: Any, market_data: Path, pair: str) -> None:
    manifest = real.champion(pair).manifest
    assert manifest.data.rows == len(candles_of(market_data, pair))
    assert manifest.data.end == datetime(2025, 5, 30, tzinfo=UTC)
    assert manifest.verdict.publish
    assert real.champion(pair).forecast(real.klines(pair)).pair == pair


@pytest.mark.slow
def test_har_has_the_skill_on_bitcoin_that_was_measured_and_is_published(real: Any) -> None:
    manifest = real.champion("btc_usdt").manifest
    assert manifest.architecture == "har"
    # The quality benchmark (docs/performance.md) has about 4 %, on other folds of the same hours.
    assert 0.03 < manifest.metrics["crps_skill_mean"] < 0.06
    assert "8 of 8 folds won" in manifest.verdict.reason


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS)
def test_stored_candles_are_those_of_the_file(real: Any, market_data: Path, pair: str) -> None:
    file, stored = candles_of(market_data, pair), real.klines(pair)
    opened = stored["timestamp"].astype("int64").to_numpy()
    assert np.array_equal(opened, file["open_time"].to_numpy())
    for column in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(stored[column].to_numpy(), file[column].to_numpy())


@pytest.mark.slow
def test_the_error_of_the_last_close_is_that_of_the_file(real: Any, market_data: Path) -> None:
    """Without an edge the point forecast is the last close: its RMSE at one hour follows from the file alone."""
    closes = candles_of(market_data, "btc_usdt")["close"].to_numpy()
    manifest = real.champion("btc_usdt").manifest
    # The folds are the newest hours whose last target, 24 hours later, exists.
    assert manifest.metrics["test_windows"] == JUDGED
    origins = np.arange(len(closes) - 24 - JUDGED, len(closes) - 24)
    rmse = np.sqrt(np.mean((closes[origins + 1] - closes[origins]) ** 2))
    assert manifest.metrics["rmse_1h"] == pytest.approx(rmse, rel=1e-4)


@pytest.mark.slow
def test_the_original_recipe_is_refused_and_its_model_forecasts_all_the_same(real: Any, tmp_path: Path) -> None:
    project = real.copy(tmp_path / "project")
    done = project.run(**TINY).ok()
    assert "btc_usdt: not published, refused: mean CRPS" in done.errors
    assert "0 of 8 folds won, 6 are needed" in done.errors
    assert project.champion().manifest.architecture == "har"
    refused = load_version(open_catalog(None, project.folder), "btc_usdt", project.versions()[-1])
    assert refused.manifest.feature_set == "calendar_ohlc"
    assert refused.manifest.metrics["rmse_1h"] > 0
    assert refused.forecast(project.klines()).architecture == "lstm_levels"


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
