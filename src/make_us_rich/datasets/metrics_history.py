"""Metrics of an MLflow run, written together."""

import time
from typing import Any

from kedro_mlflow.io.metrics import MlflowMetricsHistoryDataset
from mlflow.entities import Metric

from mlflow import MlflowClient

MOST = 1000
"""Metrics that MLflow takes at once."""


class MlflowMetricsAtOnceDataset(MlflowMetricsHistoryDataset):  # type: ignore[misc]
    """kedro-mlflow's dataset, which writes them one by one: a transaction, and a wait for the disk, for each of ninety.

    Examples:
        ```yaml
        "{pair}.run_metrics":
          type: make_us_rich.datasets.metrics_history.MlflowMetricsAtOnceDataset
          prefix: "{pair}"
        ```
    """

    def _save(self, data: dict[str, Any]) -> None:
        if not self._logging_activated:
            return
        items = (self._build_args_list_from_metric_item(name, item) for name, item in data.items())
        now = time.time_ns() // 1_000_000
        metrics = [Metric(name, value, now, step or 0) for rows in items for name, value, step in rows]
        for first in range(0, len(metrics), MOST):
            MlflowClient().log_batch(self.run_id, metrics=metrics[first : first + MOST])
