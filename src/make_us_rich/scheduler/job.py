"""The job: run one pipeline after the other until nothing is due."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from logging import makeLogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path

from kedro.io import DataCatalog

from make_us_rich.domain.klines import hour_of
from make_us_rich.domain.run import utc_now
from make_us_rich.domain.run_log import PipelineRun, missed_hours, read_runs, update_runs, write_runs
from make_us_rich.locks import file_lock
from make_us_rich.scheduler.due import Task, next_task
from make_us_rich.storage import explain

_STAMP = "%Y-%m-%d %H:%M:%S UTC"


class JobLog:
    """The two rotated logs of the job: one line for each run, which is also reported, and the output of all runs."""

    def __init__(self, folder: Path, report: Callable[[str, bool], object]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lines = RotatingFileHandler(folder / "hourly.log", maxBytes=1_000_000, backupCount=5, encoding="utf-8")
        self._output = RotatingFileHandler(folder / "output.log", maxBytes=5_000_000, backupCount=3, encoding="utf-8")
        self._report = report

    def write(self, line: str, *, failed: bool = False) -> None:
        """Write a line to the log, and report it."""
        self._lines.handle(makeLogRecord({"msg": line}))
        self._report(line, failed)

    def run(self, command: Sequence[str], folder: Path, seconds: float) -> tuple[int, str]:
        """Run a command in a session of its own, with its output in the log.

        It is ended with everything that it has started when it takes too long, and when this process is ended.

        Returns:
            Its exit code, and its last line or that it took too long.
        """
        self._output.handle(makeLogRecord({"msg": f"==== {utc_now():{_STAMP}} {' '.join(command)}"}))
        with Path(self._output.baseFilename).open("a+b") as file:
            start = file.tell()
            process = subprocess.Popen(  # noqa: S603 (its arguments are ours)
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
            )
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                return -signal.SIGTERM, f"stopped after {seconds / 60:g} min (scheduler.timeout_minutes)"
            finally:
                for number in (signal.SIGTERM, signal.SIGKILL):
                    if process.poll() is None:
                        with suppress(ProcessLookupError):
                            os.killpg(process.pid, number)
                        with suppress(subprocess.TimeoutExpired):
                            process.wait(10)
            file.seek(start)
            lines = file.read().decode(errors="replace").split("\n")
        return code, next((line.removeprefix("Error: ") for line in reversed(lines) if line.strip()), "no output")

    def close(self) -> None:
        """Close the files."""
        self._lines.close()
        self._output.close()


@dataclass
class Job:
    """Everything that is due now, one run after the other. The runner returns an exit code and a reason."""

    catalog: DataCatalog
    pairs: list[str]
    max_attempts: int
    runner: Callable[[Task], tuple[int, str]]
    log: JobLog
    clock: Callable[[], datetime] = utc_now
    _logs: dict[str, list[PipelineRun]] = field(default_factory=dict, init=False)

    def run(self) -> list[PipelineRun]:
        """Run what is due. A pipeline that fails leaves the others alone; a later job tries it again."""
        self._logs = {pair: self._load(pair) for pair in self.pairs}
        done: set[tuple[str, datetime | None]] = set()
        runs = []
        # The hour may change meanwhile: then its forecasts come before the remaining models.
        while task := next_task(self._logs, hour_of(self.clock().astimezone(UTC)), done, self.max_attempts):
            done.add(task.key)
            runs.append(self._run(task))
        return runs

    def _run(self, task: Task) -> PipelineRun:
        pair, started = task.pair, self.clock()
        missed = missed_hours(self._logs[pair], task.pipeline, task.hour)
        self._write(f"{task.pipeline} started{f' (missed hours: {missed})' if missed else ''}")
        code, reason = self.runner(task)
        self._logs[pair] = self._load(pair)
        recorded = [run for run in self._logs[pair] if run.pipeline == task.pipeline and run.started >= started]
        run = PipelineRun(pair=pair, pipeline=task.pipeline, started=started, missed=missed)
        run = max(recorded, key=lambda each: each.started, default=run)
        if run.ended is None or run.ok != (code == 0):
            # The run could not record its end: it was killed, or failed before its first hook.
            run = run.model_copy(update={"ended": self.clock(), "exit_code": code, "reason": reason})
            with self._reporting_errors(pair), file_lock(self.catalog, f"{pair}.runs"):
                runs = self._logs[pair] = update_runs(self._load(pair), run)
                self.catalog.save(f"{pair}.runs", write_runs(runs))
        seconds = (self.clock() - started).total_seconds()
        result = "succeeded" if run.ok else f"failed with exit code {code}"
        self._write(f"{task.pipeline} {result} in {seconds:.0f} s: {run.reason}", failed=not run.ok)
        return run

    def _load(self, pair: str) -> list[PipelineRun]:
        """The run log; what was known of it where it cannot be read, which is logged."""
        with self._reporting_errors(pair):
            return read_runs(self.catalog.load(f"{pair}.runs"), pair)
        return self._logs.get(pair, [])

    @contextmanager
    def _reporting_errors(self, pair: str) -> Iterator[None]:
        try:
            yield
        except Exception as exc:
            line = explain(exc)
            if line is None:
                raise
            self._write(f"{pair}: the run log is not available: {line}", failed=True)

    def _write(self, line: str, *, failed: bool = False) -> None:
        self.log.write(f"{self.clock():{_STAMP}} {line}", failed=failed)
