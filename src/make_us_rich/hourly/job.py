"""The job itself: run after run until the hour asks for nothing more."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog

from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.domain.run import utc_now
from make_us_rich.hourly.logs import Logs
from make_us_rich.hourly.parameters import HourlyParameters
from make_us_rich.hourly.process import Ended, run_bounded
from make_us_rich.hourly.runs import Run, full_hour, missed_hours, read_runs, write_runs
from make_us_rich.hourly.tasks import Task, is_due, tasks_of
from make_us_rich.storage import explain

Runner = Callable[[Task], Ended]


def kedro_runner(env: str | None, project: Path, output: Path, minutes: float) -> Runner:
    """Runs a task's pipeline as ``kedro run`` does for a user, in a process of its own.

    Args:
        env: Environment.
        project: The project's folder.
        output: File for what the run in progress says.
        minutes: How long it may take.
    """

    def run(task: Task) -> Ended:
        command = kedro_command("run", f"--pipeline={task.pipeline}", env=env)
        return run_bounded(command, project, output, 60 * minutes)

    return run


def kedro_command(*arguments: str, env: str | None) -> list[str]:
    """A command of Kedro's, with the Python that runs here."""
    chosen = [f"--env={env}"] if env else []
    return [sys.executable, "-m", "kedro", *arguments, *chosen]


@dataclass
class Job:
    """Everything that an hour asks for, one run after the other.

    Attributes:
        catalog: Where the record of each pair's runs is.
        pairs: Names such as ``btc_usdt``.
        parameters: How long, how often, how much is kept.
        runner: Runs a task.
        logs: Where it is told.
        clock: The time of day.
    """

    catalog: DataCatalog
    pairs: list[str]
    parameters: HourlyParameters
    runner: Runner
    logs: Logs
    clock: Callable[[], datetime] = utc_now
    _runs: dict[str, list[Run]] = field(default_factory=dict, init=False)
    _seen: set[tuple[str, datetime | None]] = field(default_factory=set, init=False)

    def work(self, tell: Callable[[Run], Any]) -> list[Run]:
        """Do what is due. A run that fails leaves the others alone; it is tried again by a later job.

        Args:
            tell: Is given each run when it has ended.

        Returns:
            The runs that were made, in order.
        """
        self._runs = {pair: self._load(pair) for pair in self.pairs}
        done = []
        while (task := self._next()) is not None:
            self._seen.add(task.once)
            done.append(self._do(task))
            tell(done[-1])
        return done

    def _next(self) -> Task | None:
        """The hour may have changed since the last run: then its forecasts come before older models."""
        tasks = tasks_of(self.pairs, full_hour(self.clock()), self._runs)
        waiting = (task for task in tasks if task.once not in self._seen)
        return next((task for task in waiting if is_due(task, self._runs[task.pair], self.parameters.tries)), None)

    def _do(self, task: Task) -> Run:
        started = self.clock()
        missed = missed_hours(self._runs[task.pair], task.pipeline, task.hour)
        ended = self.runner(task)
        run = Run(
            pair=task.pair,
            pipeline=task.pipeline,
            hour=task.hour,
            started=started,
            ended=self.clock(),
            ok=ended.exit_code == 0,
            exit_code=ended.exit_code,
            reason=ended.reason,
            missed=missed,
        )
        self.logs.tell(run.line)
        self.logs.keep_output(run.line)
        self._keep(run)
        return run

    def _load(self, pair: str) -> list[Run]:
        """The record, or none where it cannot be read: that is told, and is no reason to run nothing."""
        try:
            return read_runs(self.catalog.load(f"{pair}.runs"), pair)
        except Exception as exc:
            self._tell_trouble(pair, exc)
            return []

    def _keep(self, run: Run) -> None:
        runs = self._runs[run.pair] = [*self._runs[run.pair], run]
        try:
            self.catalog.save(f"{run.pair}.runs", write_runs(runs, self.parameters.kept_runs))
        except Exception as exc:
            self._tell_trouble(run.pair, exc)

    def _tell_trouble(self, pair: str, exc: Exception) -> None:
        line = str(exc) if isinstance(exc, MakeUsRichError) else explain(exc)
        if line is None:
            raise exc
        self.logs.tell(f"{self.clock():%Y-%m-%d %H:%M:%S} UTC {pair}: the record of runs was not reached: {line}")
