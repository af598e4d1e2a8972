"""Metrics of an MLflow run."""

import time
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

BATCH = 1000
"""Metrics that MLflow accepts at once."""


class MlflowMetricsDataset(AbstractDataset[dict[str, Any], NoReturn]):
    """Metrics of the active MLflow run, written in one batch; nothing is written without an active run.

    kedro-mlflow's dataset writes metrics one by one: a transaction for each of ninety. A metric is a
    ``{"value": float, "step": int}`` or a list of them.
    """

    def __init__(self, *, metadata: dict[str, Any] | None = None) -> None:
        """Create the dataset; ``metadata`` is for plugins such as Kedro-Viz."""
        self.metadata = metadata

    def load(self) -> NoReturn:
        """Refuse."""
        raise DatasetError("metrics of MLflow are only written here; read them with MLflow's client")

    def save(self, data: dict[str, Any]) -> None:
        """Write the metrics to the active run."""
        import mlflow
        from mlflow.entities import Metric

        if (run := mlflow.active_run()) is None:
            return
        now = time.time_ns() // 1_000_000
        metrics = [
            Metric(name, point["value"], now, point.get("step", 0))
            for name, points in data.items()
            for point in (points if isinstance(points, list) else [points])
        ]
        for first in range(0, len(metrics), BATCH):
            mlflow.MlflowClient().log_batch(run.info.run_id, metrics=metrics[first : first + BATCH])

    def _exists(self) -> bool:
        return False  # The run that would have them is the active one.

    def _describe(self) -> dict[str, Any]:
        return {}
