"""What MLflow has of a run, read from its SQLite file and not through its client."""

import contextlib
import sqlite3
from collections.abc import Callable
from typing import Any

import pandas as pd


def ask(project: Any, question: str) -> list[tuple[Any, ...]]:
    """Rows of MLflow's store, of the newest run."""
    with contextlib.closing(sqlite3.connect(project.folder / "data" / "mlflow.db")) as store:
        newest = "(select run_uuid from runs order by start_time desc limit 1)"
        return store.execute(question.replace(":newest", newest)).fetchall()


def test_a_run_is_recorded_as_finished_in_the_experiment(trained: Any) -> None:
    assert ask(trained, "select status from runs where run_uuid = :newest") == [("FINISHED",)]
    (name,) = ask(
        trained, "select experiments.name from experiments join runs using (experiment_id) where run_uuid = :newest"
    )
    assert name == ("make_us_rich",)


def test_every_hyperparameter_is_recorded_under_its_full_path(trained: Any) -> None:
    recorded = dict(ask(trained, "select key, value from params where run_uuid = :newest"))
    assert recorded["training.baseline.lookback"] == "168"
    assert recorded["training.lstm_levels.learning_rate"] == "0.0001"
    assert recorded["training.seed"] == "42"
    assert recorded["preprocessing.validation_fraction"] == "0.2"
    assert recorded["exporting.keep_versions"] == "24"
    assert recorded["history_days"] == "90"
    assert recorded["architectures"] == "har"
    assert recorded["gate.p_value"] == "0.05"
    assert recorded["walk_forward.folds"] == "2"


def test_the_losses_of_every_step_are_recorded(trained: Any) -> None:
    history = pd.read_parquet(trained.path("08_reporting", "btc_usdt", "training_history.parquet"))
    history = history[history["architecture"] == "baseline"]
    recorded = ask(
        trained,
        "select step, value from metrics where run_uuid = :newest"
        " and key = 'btc_usdt.baseline.train_loss' order by step",
    )
    assert len(recorded) == 8, "the baseline tries eight decays"
    assert recorded == list(zip(history["step"], history["train_loss"], strict=True))


def test_metrics_are_recorded_with_the_baselines_beside_them(trained: Any) -> None:
    metrics = trained.champion().manifest.metrics
    recorded = dict(ask(trained, "select key, value from latest_metrics where run_uuid = :newest"))
    for name in ("rmse_1h", "baseline_rmse_1h", "crps_mean", "baseline_crps_mean", "crps_skill_mean"):
        assert recorded[f"btc_usdt.{name}"] == metrics[name]


def test_tags_tell_version_revision_candles_and_architecture(trained: Any) -> None:
    tags = dict(ask(trained, "select key, value from tags where run_uuid = :newest"))
    assert tags["version"] == trained.versions()[0]
    assert tags["git_revision"] == trained.champion().manifest.git_revision
    assert tags["btc_usdt.architecture"] == "baseline"
    assert tags["btc_usdt.data"] == "2024-12-01T12:00:00Z to 2025-03-01T11:00:00Z, 2160 candles"


def test_a_failed_run_is_recorded_as_failed(project: Any, served: Any, misbehave: Callable[..., None]) -> None:
    misbehave(rates={"451": 1})
    project.run().error()
    assert ask(project, "select status from runs where run_uuid = :newest") == [("FAILED",)]
    assert ask(project, "select count(*) from runs") == [(2,)]
    served.check()


def test_a_run_that_is_refused_before_it_begins_is_not_recorded(project: Any) -> None:
    project.run(history_days="many").error()
    assert ask(project, "select count(*) from runs") == [(1,)]
