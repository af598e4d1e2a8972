"""The gate in ``kedro run``: what a second run, a broken challenger and a pair without an edge lead to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.catalog import load_version, open_catalog
from make_us_rich.domain.klines import HOUR_MS
from make_us_rich.replay import Clock, FolderMarket, ReplayServer

HOURS = 7_200
WHOLE: dict[str, Any] = {
    "architectures": "har",
    "history_days": HOURS // 24,
    "walk_forward__folds": 8,
    "walk_forward__hours": 336,
    "walk_forward__lead_in_hours": 720,
    "walk_forward__least_windows": 2160,
}
"""Folds that the gate accepts, with its rules as configured, on as few candles as that takes."""
TINY = {
    "architectures": "lstm_levels",
    "training__lstm_levels__lookback": 24,
    "training__lstm_levels__batch_size": 4096,
    "training__lstm_levels__hidden_size": 4,
    "training__lstm_levels__layers": 1,
    "training__lstm_levels__dropout": 0.0,
    "training__lstm_levels__max_epochs": 1,
}
ARTIFACTS = ("manifest.json", "model.onnx", "scaler.pkl", "card.json", "card.md")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, kedro: Any, steady_exchange: Any, make_project: Any) -> Any:
    """A project in which one run has published `har`; not to be changed."""
    project = make_project(tmp_path_factory.mktemp("published") / "project", kedro, steady_exchange.url)
    project.parameters = WHOLE
    project.run().ok()
    return project


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory, published: Any) -> tuple[Any, Any]:
    """A project after a second run on the same candles, and that run."""
    project = published.copy(tmp_path_factory.mktemp("again") / "project")
    return project, project.run().ok()


def served_files(project: Any) -> dict[str, bytes]:
    """What decides over what is served: the pointer, the version that it names, and its widths."""
    folder, version = project.path("06_models", "btc_usdt"), project.champion().manifest.version
    files = ["champion.json", "widths.json", *(f"{name}/{version}/{name}" for name in ARTIFACTS)]
    return {name: (folder / name).read_bytes() for name in files}


def verdicts_of(project: Any) -> pd.DataFrame:
    """The verdict log."""
    return pd.read_parquet(project.path("08_reporting", "btc_usdt", "verdicts.parquet"))


def refused_version(project: Any) -> Any:
    """The newest version, which is not served."""
    champion, newest = project.champion(), project.versions()[-1]
    assert newest != champion.manifest.version
    return load_version(open_catalog(None, project.folder), "btc_usdt", newest)


def test_a_challenger_that_passes_is_published_with_its_figures(published: Any) -> None:
    manifest = published.champion().manifest
    assert manifest.architecture == "har"
    assert "below the baseline's" in manifest.verdict.reason
    assert "of 8 folds won" in manifest.verdict.reason
    assert manifest.metrics["crps_mean"] < manifest.metrics["baseline_crps_mean"]
    assert manifest.metrics["test_windows"] == 8 * 336


def test_a_second_run_on_the_same_candles_says_so_and_changes_nothing_served(published: Any, again: Any) -> None:
    project, done = again
    assert "btc_usdt: not published, refused: not better than the champion: the same mean CRPS" in done.errors
    assert served_files(project) == served_files(published)
    klines = project.klines()
    assert project.champion().forecast(klines) == published.champion().forecast(klines)


def test_the_verdicts_of_both_runs_are_kept(again: Any) -> None:
    project, _ = again
    verdicts = verdicts_of(project)
    assert verdicts["version"].tolist() == project.versions()
    assert verdicts["publish"].tolist() == [True, False]
    # Nothing has been tried since the promotion but this very recipe.
    assert verdicts["tried"].tolist() == [1, 1]


def test_a_refused_model_went_through_onnx_too_and_its_card_says_that_it_is_not_published(again: Any) -> None:
    project, _ = again
    manifest = refused_version(project).manifest
    assert not manifest.verdict.publish
    assert manifest.parity["output"] < 1e-5
    card = project.path("06_models", "btc_usdt", "card.md", manifest.version, "card.md").read_text()
    assert "**Not published.** Refused: not better than the champion" in card


def test_a_run_without_a_challenger_leaves_the_champion_and_says_why(published: Any, tmp_path: Path) -> None:
    project = published.copy(tmp_path / "project")
    done = project.run(architectures="baseline").ok()
    assert "not published, the champion stays: there was no challenger" in done.errors
    assert served_files(project) == served_files(published)
    assert refused_version(project).manifest.architecture == "baseline"


def test_the_baseline_that_is_being_served_is_not_published_again(project: Any, served: Any) -> None:
    done = project.run().ok()
    assert "not published, no edge: the baseline is served" in done.errors
    assert f"it is being served already; still serving {served.version}" in done.errors
    served.check()


@pytest.mark.slow
def test_a_challenger_that_diverges_is_refused_in_words_and_the_champion_stays(published: Any, tmp_path: Path) -> None:
    project = published.copy(tmp_path / "project")
    done = project.run(**TINY, training__lstm_levels__learning_rate=1e30).ok()
    assert "lstm_levels: refused: its losses are not finite numbers" in done.errors
    assert served_files(project) == served_files(published)
    verdict = verdicts_of(project).iloc[-1]
    assert (verdict["architecture"], verdict["publish"]) == ("baseline", False)
    assert verdict["reason"] == "the champion stays: lstm_levels refused: its losses are not finite numbers"


@pytest.mark.slow
def test_where_the_first_challenger_is_bad_the_baseline_is_served_and_says_so(new_project: Any) -> None:
    new_project.run(**TINY, gate__folds=2, gate__fold_hours=72).ok()
    manifest = new_project.champion().manifest
    assert manifest.architecture == "baseline"
    reason = manifest.verdict.reason
    assert reason.startswith("no edge: the baseline is served (lstm_levels refused: mean CRPS ")
    assert "above the baseline's; 0 of 2 folds won, 2 are needed; p = " in reason


def write_random_walk(folder: Path, symbol: str, seed: int) -> None:
    """Hours of a walk whose steps, one every five minutes, have always the same spread; volume knows nothing."""
    rng = np.random.default_rng(seed)
    path = 100 * np.exp(np.cumsum(rng.normal(0, 0.0015, 12 * HOURS)).reshape(HOURS, 12))
    opens = np.concatenate([[100.0], path[:-1, -1]])
    at = 1_700_000_000_000 // HOUR_MS * HOUR_MS + HOUR_MS * np.arange(HOURS)
    highs, lows, closes = np.maximum(opens, path.max(axis=1)), np.minimum(opens, path.min(axis=1)), path[:, -1]
    volume = rng.uniform(50, 150, HOURS)
    columns = [at, opens, highs, lows, closes, volume, at + HOUR_MS - 1, volume * closes]
    taker = [np.full(HOURS, 100), volume / 2, volume * closes / 2, np.zeros(HOURS, int)]
    table = pd.DataFrame(dict(enumerate([*columns, *taker])))
    table.to_csv(folder / f"{symbol}-1h.csv", index=False, header=False, float_format="%.8f")


@pytest.fixture(scope="module")
def no_edge(tmp_path_factory: pytest.TempPathFactory, kedro: Any, make_project: Any) -> Iterator[Any]:
    """A project after a run of a pair that is a random walk."""
    folder = tmp_path_factory.mktemp("random_walk")
    write_random_walk(folder, "BTCUSDT", seed=1)
    market = FolderMarket(folder)
    with ReplayServer(market, Clock(market.default_now(), speed=0)) as server:
        project = make_project(tmp_path_factory.mktemp("no_edge") / "project", kedro, server.url)
        project.parameters = WHOLE
        project.run().ok()
        yield project


def test_a_pure_random_walk_is_served_the_baseline_and_says_that_there_is_no_edge(no_edge: Any) -> None:
    manifest = no_edge.champion().manifest
    assert manifest.architecture == "baseline"
    assert manifest.verdict.reason.startswith("no edge: the baseline is served (har refused: ")
    assert manifest.edge.reason == "no edge: the point forecast is the last close"


def test_champions_tells_that_there_is_no_edge(no_edge: Any) -> None:
    lines = no_edge.start("champions").ok().output.splitlines()
    told = lines[lines.index("What the newest run of each pair found:") + 1 :]
    assert [line.split()[:3] for line in told[:2]] == [
        ["btc_usdt", "har", "refused:"],
        ["btc_usdt", "baseline", "no"],
    ]
    assert "no edge: the baseline is served" in told[1]
