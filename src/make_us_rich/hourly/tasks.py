"""Which run comes next: forecasts before models, but a pair's first model before its first forecast."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from make_us_rich.hourly.runs import Run, last_success

FORECAST = "monitor_{pair}"
RETRAIN = "{pair}"
KINDS = (FORECAST, RETRAIN)
"""Pipelines of a pair."""

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Task:
    """A pipeline of a pair, for one hour."""

    pair: str
    kind: str
    hour: datetime

    @property
    def pipeline(self) -> str:
        """Name such as ``btc_usdt``."""
        return self.kind.format(pair=self.pair)

    @property
    def once(self) -> tuple[str, datetime | None]:
        """What one job does at most once: a forecast for each hour that it sees, a model whatever the hour."""
        return self.pipeline, None if self.kind == RETRAIN else self.hour


def tasks_of(pairs: Iterable[str], hour: datetime, runs: Mapping[str, list[Run]]) -> list[Task]:
    """Everything that an hour asks for, in the order in which it is to be done.

    Args:
        pairs: Names such as ``btc_usdt``, in the order of the configuration.
        hour: A full hour, UTC.
        runs: The runs of each pair.
    """
    tasks = [Task(pair, kind, hour) for kind in KINDS for pair in pairs]
    return sorted(tasks, key=lambda task: (_haste(task, runs), _waits_since(task, runs)))


def _haste(task: Task, runs: Mapping[str, list[Run]]) -> int:
    """Forecasts, then first models, then the forecasts that had to wait for those, then models that follow others."""
    first = last_success(runs[task.pair], RETRAIN.format(pair=task.pair)) is None
    if task.kind == RETRAIN:
        return 1 if first else 3
    return 2 if first else 0


def _waits_since(task: Task, runs: Mapping[str, list[Run]]) -> datetime:
    return last_success(runs[task.pair], task.pipeline) or _NEVER


def is_due(task: Task, runs: list[Run], tries: int) -> bool:
    """It has neither succeeded for its hour yet, nor failed so often that another try can wait for the next hour."""
    tried = [run for run in runs if run.pipeline == task.pipeline and run.hour == task.hour]
    return len(tried) < tries and not any(run.ok for run in tried)
