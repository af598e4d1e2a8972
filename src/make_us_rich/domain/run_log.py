"""The run log of a pair: each run of its pipelines, when it started and how it ended.

A hook writes it for every run, the scheduler decides by it what is due, the monitoring explains missed forecasts with
it, the alerts look for failures in it, and the API shows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.klines import HOUR, hour_of

MAX_RUNS = 1000
"""Runs that are retained: about three weeks of a forecast and a training an hour."""

MONITORING = "monitor_{pair}"
TRAINING = "{pair}"
"""Names of a pair's pipelines."""


class PipelineRun(BaseModel):
    """One run of one pipeline, by the clock of the machine that it ran on, UTC."""

    # Not "forbid": a run log of an earlier release has more keys.
    model_config = ConfigDict(frozen=True, extra="ignore")

    pair: str
    pipeline: str
    started: AwareDatetime
    ended: AwareDatetime | None = None  # None while it runs, and for good after a kill
    exit_code: int | None = None  # negative for a signal
    reason: str = ""  # the result in one line, or the error
    missed: int = 0  # hours without a success before it
    forecast: bool | None = None  # whether its hour had a forecast at its end; None for what issues none, or failed

    @property
    def ok(self) -> bool:
        """Whether its process succeeded; a monitoring may have issued no forecast all the same."""
        return self.exit_code == 0

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return self.ended is not None and not self.ok

    @property
    def hour(self) -> datetime:
        """The full hour in which it started, UTC."""
        return hour_of(self.started.astimezone(UTC))


_RUNS = TypeAdapter(list[PipelineRun])


def read_runs(record: dict[str, Any], pair: str) -> list[PipelineRun]:
    """Parse the dataset ``{pair}.runs``, oldest run first; it is empty before the first run.

    Raises:
        ArtifactError: The log is damaged.
    """
    try:
        return _RUNS.validate_python(record.get("runs", []))
    except (AttributeError, ValidationError) as exc:
        raise ArtifactError(f"{pair}: the run log is damaged", "delete the pair's runs.json") from exc


def write_runs(runs: Iterable[PipelineRun]) -> dict[str, Any]:
    """The newest runs as the dataset ``{pair}.runs`` saves them."""
    return {"runs": _RUNS.dump_python(list(runs)[-MAX_RUNS:], mode="json")}


def update_runs(runs: Iterable[PipelineRun], run: PipelineRun) -> list[PipelineRun]:
    """Add a run, or replace what was known of it."""
    return [*(each for each in runs if (each.pipeline, each.started) != (run.pipeline, run.started)), run]


def last_success(runs: Iterable[PipelineRun], pipeline: str) -> datetime | None:
    """The newest hour in which a pipeline succeeded; None before the first."""
    return max((run.hour for run in runs if run.ok and run.pipeline == pipeline), default=None)


def missed_hours(runs: Iterable[PipelineRun], pipeline: str, hour: datetime) -> int:
    """Count the full hours between the last success of a pipeline and an hour; 0 before the first success."""
    last = last_success(runs, pipeline)
    return 0 if last is None else max(0, (hour - last) // HOUR - 1)
