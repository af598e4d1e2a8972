import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from make_us_rich.hooks.run_record import RunRecordHooks, flatten
from synthetic import RUN, TRAINING


class Recorder:
    """Stands in for MLflow, whose import takes seconds; the integration tests use the real one."""

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self.tags: dict[str, str] = {}
        self.artifacts: dict[str, Any] = {}
        self.metrics: dict[str, float] = {}
        self.runs: list[Recorder] = []
        self.name = ""

    def active_run(self) -> object:
        return SimpleNamespace()

    @contextmanager
    def start_run(self, *, run_name: str, nested: bool) -> Iterator[None]:
        """What is recorded until it ends is the child's."""
        assert nested
        outer = vars(self).copy()
        vars(self).update(vars(Recorder()), name=run_name)
        yield
        inner = Recorder()
        vars(inner).update(vars(self))
        vars(self).update(outer)
        self.runs.append(inner)

    def log_params(self, params: dict[str, Any]) -> None:
        self.params |= params

    def log_dict(self, artifact: dict[str, Any], path: str) -> None:
        self.artifacts[path] = artifact

    def log_text(self, text: str, path: str) -> None:
        self.artifacts[path] = text

    def log_metrics(self, metrics: dict[str, float]) -> None:
        self.metrics |= metrics

    def set_tags(self, tags: dict[str, str]) -> None:
        self.tags |= tags


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder()
    monkeypatch.setitem(sys.modules, "mlflow", made)  # type: ignore[arg-type]
    return made


@pytest.fixture
def pipeline() -> Pipeline:
    fit = Node(lambda training, run: 1, ["params:training", "run"], "model", name="fit")
    return Pipeline([fit], namespace="btc_usdt", parameters={"params:training"})


def test_nested_parameters_are_named_by_their_full_path() -> None:
    assert dict(flatten({"training": {"seed": 42, "lstm": {"layers": 2}}, "days": 365})) == {
        "training.seed": 42,
        "training.lstm.layers": 2,
        "days": 365,
    }


def test_models_are_flattened_by_their_fields() -> None:
    flat = dict(flatten({"training": TRAINING}))

    assert flat["training.lstm_levels.hidden_size"] == 4
    assert flat["training.baseline.decays"] == (0.9, 0.97)


def test_every_hyperparameter_of_the_run_is_recorded(recorder: Recorder, pipeline: Pipeline) -> None:
    catalog = DataCatalog.from_config({})
    catalog["params:training"] = TRAINING
    catalog["params:unused"] = 3
    catalog["btc_usdt.run"] = RUN

    RunRecordHooks().before_pipeline_run(pipeline, catalog)

    assert recorder.params == dict(flatten({"training": TRAINING}))
    assert recorder.tags == {"version": RUN.version, "git_revision": "0123abc"}


def test_a_candidates_candles_are_recorded(recorder: Recorder) -> None:
    candidate = {"data": {"start": "2024-05-01", "end": "2025-05-01", "rows": 8760}, "architecture": "baseline"}

    RunRecordHooks().after_node_run({"btc_usdt.candidate": candidate, "btc_usdt.parity": {}})

    assert recorder.tags == {
        "btc_usdt.data": "2024-05-01 to 2025-05-01, 8760 candles",
        "btc_usdt.architecture": "baseline",
    }


def test_the_manifest_and_the_data_report_are_kept_as_artifacts(recorder: Recorder) -> None:
    manifest, report = {"packages": {"numpy": "2.4.6"}}, {"whole": True}

    RunRecordHooks().after_node_run({"btc_usdt.manifest": manifest})
    RunRecordHooks().after_node_run({"eth_usdt.data_report": report, "eth_usdt.klines": object()})

    assert recorder.artifacts == {"btc_usdt/manifest.json": manifest, "eth_usdt/data_report.json": report}


TRIALS = pd.DataFrame(
    {
        "architecture": ["har", "har"],
        "number": [0, 1],
        "version": "v",
        "recipe": ["abc", "def"],
        "loss": [0.01, math.nan],
        "baseline_loss": 0.02,
        "seconds": 1.5,
        "parameters": ['{"symmetry": 0.5, "lookback": 1}', '{"symmetry": 0.7, "lookback": 1}'],
        "reason": ["", "given up"],
    }
)


def test_every_trial_of_a_search_is_a_run_below_the_searchs(recorder: Recorder) -> None:
    RunRecordHooks().after_node_run({"btc_usdt.new_trials": TRIALS})

    assert [run.name for run in recorder.runs] == ["btc_usdt har 0", "btc_usdt har 1"]
    assert [run.params["har.symmetry"] for run in recorder.runs] == [0.5, 0.7]
    assert recorder.runs[0].metrics == {"loss": 0.01, "baseline_loss": 0.02, "seconds": 1.5}
    assert recorder.runs[1].tags == {"pair": "btc_usdt", "version": "v", "recipe": "def", "reason": "given up"}
    assert recorder.params == {}


def test_a_trial_without_a_loss_is_recorded_without_one(recorder: Recorder) -> None:
    RunRecordHooks().after_node_run({"btc_usdt.new_trials": TRIALS})

    assert recorder.runs[1].metrics == {"baseline_loss": 0.02, "seconds": 1.5}


def test_what_a_search_tried_and_found_is_kept_as_artifacts(recorder: Recorder) -> None:
    found = {"har": {"symmetry": 0.7}}

    RunRecordHooks().after_node_run({"btc_usdt.new_trials": TRIALS})
    RunRecordHooks().after_node_run({"btc_usdt.tuned": found})

    assert recorder.artifacts == {"btc_usdt/trials.csv": TRIALS.to_csv(index=False), "btc_usdt/tuned.json": found}


def test_without_mlflow_nothing_is_recorded_and_it_is_not_imported(
    monkeypatch: pytest.MonkeyPatch, pipeline: Pipeline
) -> None:
    monkeypatch.delitem(sys.modules, "mlflow", raising=False)

    RunRecordHooks().before_pipeline_run(pipeline, DataCatalog())
    RunRecordHooks().after_node_run({"btc_usdt.candidate": {}})

    assert "mlflow" not in sys.modules
