"""One command, from the exchange's candles to a published model; and the commands around it."""

import contextlib
import hashlib
import json
import os
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from end_to_end.project import Project
from make_us_rich.domain.forecast import HORIZON, LEVELS
from make_us_rich.domain.live import LiveScores
from make_us_rich.domain.run_log import read_runs
from make_us_rich.locks import pair_lock
from make_us_rich.replay import ReplayServer

FILES = {
    "onnx_model": "model.onnx",
    "baseline_onnx": "baseline.onnx",
    "past_forecasts": "past_forecasts.npz",
    "scenario_ranks": "scenario_ranks.npz",
    "scaler": "scaler.pkl",
}
ARTIFACTS = (*FILES.values(), "card.json", "card.md")
MONITOR = "monitor_btc_usdt"
SEARCH = {"tuning__n_trials": 3, "tuning__n_folds": 2, "tuning__test_size": 72}
TRIALS = ("08_reporting", "btc_usdt", "trials.parquet")


def query(project: Project, question: str) -> list[tuple[Any, ...]]:
    """Rows of MLflow's store; ``:newest`` is its newest run."""
    with contextlib.closing(sqlite3.connect(project.path("mlflow.db"))) as store:
        newest = "(select run_uuid from runs order by start_time desc limit 1)"
        return store.execute(question.replace(":newest", newest)).fetchall()


def registered(project: Project) -> dict[str, bool]:
    """The versions of btc_usdt in MLflow's registry, and whether the alias ``champion`` points to them."""
    rows = query(
        project,
        "select tags.value, alias is not null from model_version_tags tags left join registered_model_aliases aliases"
        " on aliases.name = tags.name and aliases.version = tags.version and alias = 'champion'"
        " where tags.key = 'version' and tags.name = 'btc_usdt'",
    )
    return {version: bool(champion) for version, champion in rows}


def klines_asked(exchange: ReplayServer) -> list[dict[str, str]]:
    return [query for path, query in exchange.requests if path.endswith("/klines")]


def test_a_run_publishes_its_artifacts_under_one_version_and_its_manifest_describes_them(trained: Project) -> None:
    manifest = trained.champion().manifest
    for artifact in ("manifest.json", *ARTIFACTS):
        assert trained.versions(artifact) == [manifest.version]
    contents = {name: trained.path("06_models/btc_usdt", file, manifest.version, file) for name, file in FILES.items()}
    assert manifest.checksums == {
        name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in contents.items()
    }
    assert (manifest.pair, manifest.architecture, manifest.horizon) == ("btc_usdt", "baseline", HORIZON)
    assert manifest.levels == LEVELS
    # The exchange's clock stands at 12:34 on the first of March: the candle of 11:00 is the last closed one.
    assert manifest.data.end == datetime(2025, 3, 1, 11, tzinfo=UTC)
    assert manifest.data.start == datetime(2025, 3, 1, 12, tzinfo=UTC) - timedelta(days=90)
    assert manifest.data.rows == 90 * 24
    assert manifest.verdict.publish


def test_mlflow_has_the_parameters_losses_metrics_and_tags_of_the_run(trained: Project) -> None:
    finished = query(trained, "select experiments.name, status from runs join experiments using (experiment_id)")
    assert finished == [("make_us_rich", "FINISHED")]
    # MLflow's interface opens such an experiment on its table of runs, not on traces of language models.
    view = dict(query(trained, "select key, value from experiment_tags"))
    assert view["mlflow.experimentKind"] == "custom_model_development"
    columns = [name.split("`")[1] for name in json.loads(view["mlflow.sharedViewState.gate"])["selectedColumns"]]

    parameters = dict(query(trained, "select key, value from params where run_uuid = :newest"))
    expected = {"training.baseline.lookback": "168", "training.seed": "42", "history_days": "90", "gate.alpha": "0.05"}
    assert expected.items() <= parameters.items()

    history = trained.read_table("08_reporting", "btc_usdt", "training_history.parquet")
    history = history[history["architecture"] == "baseline"]
    losses = query(trained, "select step, value from metrics where key = 'baseline.train_loss' order by step")
    assert losses == list(zip(history["step"], history["train_loss"], strict=True))

    manifest = trained.champion().manifest
    metrics = dict(query(trained, "select key, value from latest_metrics where run_uuid = :newest"))
    for name in ("rmse_1h", "baseline_rmse_1h", "crps_mean", "baseline_crps_mean", "crps_skill_mean"):
        assert metrics[name] == manifest.metrics[name]

    tags = dict(query(trained, "select key, value from tags where run_uuid = :newest"))
    assert tags["version"] == manifest.version
    assert tags["verdict.reason"] == manifest.verdict.reason
    assert tags["git_revision"] == manifest.git_revision
    assert (tags["pair"], tags["architecture"], tags["verdict"]) == ("btc_usdt", "baseline", "published")
    assert tags["mlflow.source.name"] == "kedro run --pipelines=btc_usdt"
    assert tags["data"] == "2024-12-01T12:00:00Z to 2025-03-01T11:00:00Z, 2160 candles"
    assert set(columns) <= tags.keys() | metrics.keys()


def test_a_failed_run_is_recorded_as_failed_and_one_that_never_began_is_not(project: Project) -> None:
    project.run(history_days="many").error()
    assert query(project, "select count(*) from runs") == [(1,)]
    project.run(exchange_url="http://127.0.0.1:9", history_days=91).error()
    assert query(project, "select status from runs where run_uuid = :newest") == [("FAILED",)]


def test_a_stage_runs_alone(project: Project) -> None:
    options = {"converting": "--tags=converting", "exporting": "--from-nodes=btc_usdt.exporting.publish_artifacts"}
    for versions, (stage, option) in enumerate(options.items(), start=1):
        done = project.run(option).ok()
        assert {node.rpartition(".")[0] for node in done.nodes} == {f"btc_usdt.{stage}"}
        assert len(project.versions()) == versions


def test_a_run_of_missing_outputs_makes_only_those_and_ipython_loads_them(project: Project) -> None:
    metrics = project.path("08_reporting", "btc_usdt", "metrics.json")
    content = metrics.read_bytes()
    metrics.unlink()
    done = project.run("--only-missing-outputs").ok()
    assert set(done.nodes) == {
        "btc_usdt.training.log_losses",
        "btc_usdt.evaluating.summarize_scores",
        "btc_usdt.evaluating.log_metrics",
    }
    assert "not implemented" not in done.errors
    assert metrics.read_bytes() == content

    lines = project.folder / "lines.py"
    lines.write_text(
        "inputs = catalog.load('btc_usdt.onnx_session').get_inputs()\n"
        "title = catalog.load('btc_usdt.fan_figure').layout.title.text\n"
        "print(catalog.load('btc_usdt.metrics')['test_windows'], len(catalog.load('btc_usdt.klines')), "
        "len(inputs), title)"
    )
    shown = project.start("ipython", "--", str(lines)).ok()
    last = shown.output.splitlines()[-1]
    assert last.startswith(f"{json.loads(content)['test_windows']} {90 * 24} 1 ")
    assert last.endswith("(simulated market)")


def test_a_later_run_asks_only_for_what_is_new_and_publishes_a_version_that_knows_it(
    project: Project, exchange: ReplayServer
) -> None:
    project.exchange = exchange.url
    project.run("--namespaces=btc_usdt.fetching", pipeline=None).ok()
    assert klines_asked(exchange) == []

    before = project.champion().manifest
    exchange.clock.advance(timedelta(hours=3))
    project.run("--namespaces=btc_usdt", pipeline=None, gate__refresh_hours=3).ok()
    after = project.champion().manifest
    (asked,) = klines_asked(exchange)
    # The last stored day once more, to see that it is the same market and to take corrections over, and three new ones.
    assert datetime.fromtimestamp(int(asked["startTime"]) / 1000, UTC) == datetime(2025, 2, 28, 12, tzinfo=UTC)
    assert after.version > before.version
    assert after.data.end - before.data.end == timedelta(hours=3)
    assert len(project.klines()) == 90 * 24 + 3

    # MLflow's registry has both versions, and its alias follows the champion.
    assert registered(project) == {before.version: False, after.version: True}
    project.start("rollback", "btc_usdt").ok()
    assert registered(project) == {before.version: True, after.version: False}


def test_a_second_command_for_a_pair_is_refused_at_once(project: Project) -> None:
    served = project.served()
    with pair_lock(str(project.path()), "btc_usdt"):
        for command in (project.run(), project.start("rollback", "btc_usdt", "--to", served[1])):
            line = command.error()
            assert line.startswith(f"btc_usdt: another run (process {os.getpid()}, since ")
            assert line.endswith("wait for it to end")
            assert not command.nodes
    assert project.served() == served


def test_monitoring_issues_an_hour_once_scores_the_next_and_explains_a_failure(
    project: Project, exchange: ReplayServer
) -> None:
    project.exchange = exchange.url
    record = "07_model_output/btc_usdt/live_record.parquet"
    project.run(pipeline=MONITOR).ok()
    first = project.path(record).read_bytes()
    project.run(pipeline=MONITOR).ok()
    assert project.path(record).read_bytes() == first

    exchange.clock.advance(timedelta(hours=3))
    done = project.run(pipeline=MONITOR).ok()
    forecasts = project.read_table(record)
    assert forecasts["issued_at"].nunique() == 2
    assert (forecasts["state"] == "observed").sum() == 3
    scores = LiveScores.read(project.read_json("08_reporting", "btc_usdt", "live_scores.json"), "btc_usdt")
    assert scores is not None
    assert (scores.n_forecasts, scores.n_missed, scores.n_unexplained) == (2, 2, 0)
    assert {missed.kind for missed in scores.missed} == {"no_run"}
    assert "no forecast at" in done.errors
    assert ("live_forecasts",) in query(project, "select distinct key from metrics")
    assert project.read_json("08_reporting", "btc_usdt", "live_figure.json")["data"]

    exchange.stop()
    assert "cannot be reached" in project.run(pipeline=MONITOR).error()
    runs = read_runs(project.read_json("08_reporting", "btc_usdt", "runs.json"), "btc_usdt")
    *succeeded, failed = (run for run in runs if run.pipeline == MONITOR)
    assert all(run.ok for run in succeeded)
    assert "cannot be reached" in failed.reason


def test_a_search_is_recorded_publishes_nothing_and_the_next_run_takes_what_was_found(project: Project) -> None:
    served = project.served()
    project.run(pipeline="tune_btc_usdt", **SEARCH).ok()
    trials = project.read_table(*TRIALS)
    assert trials["number"].tolist() == [0, 1, 2]
    assert trials["loss"].notna().all()
    assert project.served() == served

    # Every trial is a run below the search's in MLflow, and its loss a step of the search's metric.
    children = query(
        project,
        "select name, status, params.value, latest_metrics.value from runs"
        " join tags using (run_uuid) join params using (run_uuid) join latest_metrics using (run_uuid)"
        " where tags.key = 'mlflow.parentRunId' and params.key = 'har.symmetry' and latest_metrics.key = 'loss'"
        " order by name",
    )
    steps = query(project, "select step, value from metrics where key = 'har.trial_loss' order by step")
    symmetry = [str(json.loads(text)["symmetry"]) for text in trials["parameters"]]
    names = [f"btc_usdt har {number}" for number in range(3)]
    assert children == list(zip(names, ["FINISHED"] * 3, symmetry, trials["loss"], strict=True))
    assert steps == list(enumerate(trials["loss"]))

    # A second search adds its trials.
    project.run(pipeline="tune_btc_usdt", **SEARCH).ok()
    pd.testing.assert_frame_equal(project.read_table(*TRIALS).head(3), trials)
    assert project.read_table(*TRIALS)["version"].nunique() == 2

    recipe = {"feature_set": "har", "lookback": 1, "symmetric_from": 20, "symmetry": 0.9}
    project.path("06_models", "btc_usdt", "best_params.json").write_text(json.dumps({"har": recipe}))
    project.run("--tags=preprocessing").ok()
    assert project.read_json("05_model_input", "btc_usdt", "candidates.json")["challengers"]["har"] == recipe
