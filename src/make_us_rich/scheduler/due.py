"""What is due: forecasts before models, but a pair's first model before its first forecast."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import Field

from make_us_rich.domain.frozen import FrozenModel
from make_us_rich.domain.run_log import MONITORING, TRAINING, PipelineRun, last_success


class SchedulerParameters(FrozenModel):
    """``params:scheduler``: the job that cron starts.

    Attributes:
        timeout_minutes: A run that takes longer is ended.
        max_attempts: Runs of one pipeline in one hour, until one succeeds.
        mlflow_retention_days: Older runs are deleted from MLflow, except those that made a champion.
    """

    timeout_minutes: float = Field(gt=0)
    max_attempts: int = Field(ge=1)
    mlflow_retention_days: int = Field(ge=1)


@dataclass(frozen=True)
class Task:
    """A pipeline of a pair that is due once in a full hour (UTC); the template is ``MONITORING`` or ``TRAINING``."""

    pair: str
    template: str
    hour: datetime

    @property
    def pipeline(self) -> str:
        """Name such as ``monitor_btc_usdt``."""
        return self.template.format(pair=self.pair)

    @property
    def key(self) -> tuple[str, datetime | None]:
        """One job runs each key at most once: a forecast for every hour that it sees, a training once."""
        return self.pipeline, None if self.template == TRAINING else self.hour


def next_task(
    logs: Mapping[str, Sequence[PipelineRun]],
    hour: datetime,
    done: Collection[tuple[str, datetime | None]],
    max_attempts: int,
) -> Task | None:
    """The most urgent task; None where nothing is due.

    A task is due until it has succeeded in its hour, or has no attempts left; a monitoring without a forecast has not
    succeeded, except in records of earlier releases, which do not say so. The order is: forecasts, first models,
    the forecasts that waited for first models, other models; among equals, the pipeline whose last success is oldest.
    What is ``done`` are the keys of the tasks that this job has run.
    """
    tasks = [Task(pair, template, hour) for template in (MONITORING, TRAINING) for pair in logs]

    def is_due(task: Task) -> bool:
        attempts = [run for run in logs[task.pair] if run.pipeline == task.pipeline and run.hour == hour]
        succeeded = any(run.ok and run.forecast is not False for run in attempts)
        return task.key not in done and len(attempts) < max_attempts and not succeeded

    def urgency(task: Task) -> tuple[int, datetime]:
        untrained = last_success(logs[task.pair], TRAINING.format(pair=task.pair)) is None
        rank = (1 if untrained else 3) if task.template == TRAINING else (2 if untrained else 0)
        return rank, last_success(logs[task.pair], task.pipeline) or datetime.min.replace(tzinfo=UTC)

    return min(filter(is_due, tasks), key=urgency, default=None)
