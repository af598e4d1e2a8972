"""``kedro run --pipeline=monitor_btc_usdt``, as a user and cron call it."""

import json
import sqlite3
from datetime import timedelta
from typing import Any

import pandas as pd

from make_us_rich.domain.live import LiveScores
from make_us_rich.replay import ReplayServer

MONITOR = "monitor_btc_usdt"


def record_file(project: Any) -> Any:
    return project.path("07_model_output", "btc_usdt", "live_record.parquet")


def test_an_hour_is_issued_once_and_the_next_one_scored(project: Any, exchange: ReplayServer) -> None:
    project.exchange = exchange.url
    project.run(pipeline=MONITOR).ok()
    first = record_file(project).read_bytes()
    project.run(pipeline=MONITOR).ok()
    assert record_file(project).read_bytes() == first

    exchange.clock.advance(timedelta(hours=3))
    done = project.run(pipeline=MONITOR).ok()
    record = pd.read_parquet(record_file(project))
    assert record["issued_at"].nunique() == 2
    assert (record["state"] == "came").sum() == 3
    scores = LiveScores.read(project.read_json("08_reporting", "btc_usdt", "live_scores.json"), "btc_usdt")
    assert scores is not None
    assert (scores.issued, scores.holes, scores.unexplained) == (2, 2, 0)
    assert {hole.kind for hole in scores.newest_holes} == {"no_run"}
    assert "no forecast of" in done.errors

    # The run is in MLflow, with its figures.
    with sqlite3.connect(project.folder / "data" / "mlflow.db") as database:
        keys = {key for (key,) in database.execute("SELECT DISTINCT key FROM metrics")}
    assert {"btc_usdt.live_issued", "btc_usdt.live_coverage_80_1h_7d"} <= keys
    assert json.loads(project.path("08_reporting", "btc_usdt", "live_figure.json").read_text())["data"]


def test_a_run_that_fails_explains_its_hour(project: Any, exchange: ReplayServer) -> None:
    project.exchange = exchange.url
    project.run(pipeline=MONITOR).ok()
    exchange.stop()
    assert "cannot be reached" in project.run(pipeline=MONITOR).error()

    attempts = project.read_json("07_model_output", "btc_usdt", "attempts.json")["attempts"]
    assert [each["error"] is None for each in attempts] == [True, False]
    assert "cannot be reached" in attempts[-1]["error"]
