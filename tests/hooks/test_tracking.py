"""What is recorded, as far as the runs of tests/end_to_end do not show it in MLflow's own store."""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from make_us_rich.hooks.tracking import TrackingHooks


class Recorder:
    """Stands in for MLflow, whose import takes seconds."""

    def __init__(self) -> None:
        self.artifacts: dict[str, Any] = {}
        self.metrics: list[dict[str, float]] = []
        self.log_text = self.log_dict = lambda value, path: self.artifacts.update({path: value})
        self.log_metrics = self.metrics.append
        self.active_run = self.log_params = self.set_tags = lambda *_: True

    @contextmanager
    def start_run(self, *, run_name: str, nested: bool) -> Iterator[None]:
        yield


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder()
    monkeypatch.setitem(sys.modules, "mlflow", made)  # type: ignore[arg-type]
    return made


def test_a_trial_without_a_loss_is_recorded_without_it(recorder: Recorder) -> None:
    trial = {"architecture": "har", "number": 1, "version": "v", "recipe": "def", "loss": math.nan, "seconds": 1.5}
    trials = pd.DataFrame([trial | {"baseline_loss": 0.02, "parameters": '{"symmetry": 0.7}', "reason": "given up"}])
    TrackingHooks().after_node_run({"btc_usdt.new_trials": trials})

    assert recorder.metrics == [{"baseline_loss": 0.02, "seconds": 1.5}]
    assert recorder.artifacts == {"btc_usdt/trials.csv": trials.to_csv(index=False)}


def test_without_mlflow_nothing_is_recorded_and_it_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mlflow", raising=False)

    list(TrackingHooks().before_pipeline_run(Pipeline([]), DataCatalog()))
    TrackingHooks().after_node_run({"btc_usdt.candidate": {}})

    assert "mlflow" not in sys.modules
