"""What is kept of each run: which hour it was for, how it ended, what it said."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from make_us_rich.domain.errors import ArtifactError

HOUR = timedelta(hours=1)


class Run(BaseModel):
    """One run of one pipeline.

    Attributes:
        pair: Name such as ``btc_usdt``.
        pipeline: Name such as ``monitor_btc_usdt``.
        hour: The full hour (UTC) that it was for.
        started: UTC.
        ended: UTC.
        ok: Whether it succeeded.
        exit_code: Of its process; negative for a signal.
        reason: What it said last, or why it failed.
        missed: Hours since the last success that nothing was done for; this run makes up for them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pair: str
    pipeline: str
    hour: AwareDatetime
    started: AwareDatetime
    ended: AwareDatetime
    ok: bool
    exit_code: int
    reason: str
    missed: int = 0

    @property
    def line(self) -> str:
        """The run in one line, as the log has it."""
        result = "ok" if self.ok else "failed"
        seconds = (self.ended - self.started).total_seconds()
        late = f", catches up {self.missed} missed h" if self.missed else ""
        times = f"{self.started:%Y-%m-%d %H:%M:%S} to {self.ended:%H:%M:%S} UTC"
        return f"{times} {self.pipeline} {result}, {seconds:.0f} s, exit {self.exit_code}{late}: {self.reason}"


def full_hour(moment: datetime) -> datetime:
    """The hour (UTC) that a moment lies in."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def last_success(runs: list[Run], pipeline: str) -> datetime | None:
    """The newest hour for which a pipeline succeeded."""
    return max((run.hour for run in runs if run.ok and run.pipeline == pipeline), default=None)


def missed_hours(runs: list[Run], pipeline: str, hour: datetime) -> int:
    """Full hours between the last success and this hour; 0 where there has been none."""
    last = last_success(runs, pipeline)
    return 0 if last is None else max(0, (hour - last) // HOUR - 1)


def read_runs(record: dict[str, Any], pair: str) -> list[Run]:
    """The runs in a pair's record, oldest first.

    Args:
        record: What the dataset ``{pair}.runs`` loads; empty where nothing has run yet.
        pair: Name such as ``btc_usdt``, for the message.

    Raises:
        ArtifactError: It is damaged.
    """
    try:
        return [Run.model_validate(run) for run in record.get("runs", [])]
    except ValidationError as exc:
        raise ArtifactError(f"{pair}: the record of runs is damaged; delete runs.json of the pair") from exc


def write_runs(runs: list[Run], kept: int) -> dict[str, Any]:
    """The record of the newest runs, as the dataset ``{pair}.runs`` saves it."""
    return {"runs": [run.model_dump(mode="json") for run in runs[-kept:]]}
