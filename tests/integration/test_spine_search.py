"""``kedro run --pipeline=search_btc_usdt``: what it leaves in the store and in MLflow, and what the next run takes."""

import contextlib
import json
import sqlite3
from typing import Any

import pandas as pd
import pytest

SHORT = {
    "searching__trials": 3,
    "searching__folds": 2,
    "searching__hours": 72,
}


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, trained: Any) -> Any:
    """A project with a champion in which one search has run."""
    project = trained.copy(tmp_path_factory.mktemp("searched") / "project")
    project.run(pipeline="search_btc_usdt", **SHORT).ok()
    return project


def ask(project: Any, question: str) -> list[tuple[Any, ...]]:
    """Rows of MLflow's store."""
    with contextlib.closing(sqlite3.connect(project.folder / "data" / "mlflow.db")) as store:
        return store.execute(question).fetchall()


def trials_of(project: Any) -> pd.DataFrame:
    """The stored table."""
    return pd.read_parquet(project.path("08_reporting", "btc_usdt", "trials.parquet"))


def test_the_trials_are_stored(searched: Any) -> None:
    trials = trials_of(searched)
    assert trials["number"].tolist() == [0, 1, 2]
    assert trials["loss"].notna().all()


def test_a_search_publishes_nothing(searched: Any, trained: Any) -> None:
    assert searched.versions() == trained.versions()
    assert searched.pointer_file().read_bytes() == trained.pointer_file().read_bytes()


def test_every_trial_is_a_run_below_the_searchs_in_mlflow(searched: Any) -> None:
    children = ask(
        searched,
        "select name, status, params.value, latest_metrics.value from runs"
        " join tags using (run_uuid) join params using (run_uuid) join latest_metrics using (run_uuid)"
        " where tags.key = 'mlflow.parentRunId' and params.key = 'har.symmetry' and latest_metrics.key = 'loss'"
        " order by name",
    )
    trials = trials_of(searched)
    symmetry = [json.loads(text)["symmetry"] for text in trials["parameters"]]
    assert children == [
        (f"btc_usdt har {number}", "FINISHED", str(symmetry[number]), trials["loss"][number]) for number in range(3)
    ]


def test_the_losses_by_trial_are_a_metric_of_the_search(searched: Any) -> None:
    recorded = ask(searched, "select step, value from metrics where key = 'btc_usdt.har.trial_loss' order by step")
    assert recorded == list(enumerate(trials_of(searched)["loss"]))


def test_a_second_search_adds_its_trials_and_the_next_run_takes_what_was_found(searched: Any, tmp_path: Any) -> None:
    project = searched.copy(tmp_path / "project")
    project.run(pipeline="search_btc_usdt", **SHORT).ok()
    trials = trials_of(project)
    pd.testing.assert_frame_equal(trials.head(3), trials_of(searched))
    assert trials["version"].nunique() == 2

    found = project.path("06_models", "btc_usdt", "tuned.json")
    recipe = {"feature_set": "har", "lookback": 1, "symmetric_from": 20, "symmetry": 0.9}
    found.write_text(json.dumps({"har": recipe}))
    project.run("--tags=preprocessing").ok()
    assert project.read_json("05_model_input", "btc_usdt", "lineup.json")["challengers"]["har"] == recipe


def test_a_space_that_does_not_fit_is_named_by_its_path(searched: Any) -> None:
    line = searched.run(pipeline="search_btc_usdt", searching__spaces__har__symmetry__high=2).error()
    assert "parameter searching.spaces.har.symmetry: 2.0" in line
