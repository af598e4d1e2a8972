"""``kedro hourly``: every run a process of its own, recorded, and done once an hour."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from make_us_rich.domain.forecast import HORIZON

SHORT = """
pairs: [btc_usdt, eth_usdt]
architectures: har
history_days: 90
walk_forward: {folds: 2, hours: 72, lead_in_hours: 72, least_windows: 200}
"""
REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def scheduled(new_project: Any) -> Any:
    """A project that runs quickly without ``--params``."""
    new_project.write_local(SHORT)
    new_project.write_local(f"exchange_url: {new_project.exchange}\n", "globals.yml")
    shutil.copytree(REPO / "trainer", new_project.folder / "trainer")
    return new_project


def runs_of(project: Any, pair: str) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = project.read_json("08_reporting", pair, "runs.json")["runs"]
    return runs


@pytest.mark.slow
def test_a_pair_is_run_once_an_hour_and_recorded(scheduled: Any) -> None:
    told = scheduled.start("hourly", "btc_usdt").ok().output

    assert scheduled.champion().manifest.pair == "btc_usdt"
    # A first model, and the forecast that had to wait for it.
    assert [run["pipeline"] for run in runs_of(scheduled, "btc_usdt")] == ["btc_usdt", "monitor_btc_usdt"]
    assert len(pd.read_parquet(scheduled.path("07_model_output", "btc_usdt", "live_record.parquet"))) == HORIZON
    assert told == scheduled.path("hourly", "hourly.log").read_text()
    assert not scheduled.path("08_reporting", "eth_usdt").exists(), "only the pair that was named"
    assert scheduled.start("hourly", "btc_usdt").ok().output == "", "its hour is done"
    assert "published version" in scheduled.path("hourly", "output.log").read_text()


@pytest.mark.slow
def test_a_pair_that_fails_leaves_the_others_alone_and_the_exit_code_tells(scheduled: Any) -> None:
    scheduled.path("02_intermediate", "btc_usdt").mkdir(parents=True)
    scheduled.path("02_intermediate", "btc_usdt", "klines.parquet").mkdir()

    command = scheduled.start("hourly")

    assert command.wait(300) == 1  # Four runs.
    assert "btc_usdt failed" in command.errors
    assert "a folder is where a file should be" in command.errors
    assert "eth_usdt ok" in command.output
    assert [run["ok"] for run in runs_of(scheduled, "btc_usdt") if run["pipeline"] == "btc_usdt"] == [False]
    assert scheduled.champion("eth_usdt").manifest.pair == "eth_usdt"
    assert "0 runs of MLflow's are older than 30 days" in scheduled.path("hourly", "output.log").read_text()


def test_a_pair_that_is_not_configured_is_refused(scheduled: Any) -> None:
    assert (
        "doge_usdt: not among the configured pairs: btc_usdt, eth_usdt"
        in scheduled.start("hourly", "doge_usdt").error()
    )
