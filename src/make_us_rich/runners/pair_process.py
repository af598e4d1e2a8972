"""One pair's run in a process of its own, forked by Python's fork server: it may fail or be killed alone."""

import logging
import multiprocessing
import os
import resource
import signal
import threading
import time
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, cast

from kedro.framework.project import LOGGING
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from make_us_rich.domain.errors import LockedError, MakeUsRichError
from make_us_rich.logs import log_json_if_asked
from make_us_rich.runners.pair_run import PairRun, RunResult, RunStatus
from make_us_rich.storage import explain, own_error

log = logging.getLogger(__name__)


class RunStoppedError(MakeUsRichError):
    """The run was stopped by a signal."""

    code = "stopped"


def start_fork_server(*, networks: bool) -> None:
    """Start the process that pairs are forked from, unless it runs; it imports beside this one, which goes on."""
    forkserver.set_forkserver_preload([*(("torch", "pytorch_lightning") if networks else ()), "make_us_rich.preload"])
    forkserver.ensure_running()


def run_in_process(run: PairRun) -> RunResult:
    """Run a pair in a process of its own and wait for its end, however it comes; threads may call it side by side."""
    start_fork_server(networks=run.networks)
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(run, sender), name=run.pair)
    process.start()
    sender.close()
    try:
        result: RunResult = receiver.recv()
    except EOFError:
        result = RunResult.killed(run.pair)
    process.join()
    return result


def _work(run: PairRun, sender: Connection) -> None:
    """In the process: run the pair and send the result."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer.
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.chdir(run.session["project_path"])
    bootstrap_project(Path.cwd())
    assert LOGGING is not None  # noqa: S101  # Kedro has configured logging by now.
    for handler in logging.getLogger().handlers:
        handler.setFormatter(PrefixFormatter(handler.formatter or logging.Formatter(), run.pair))
    log_json_if_asked(pair=lambda: run.pair)
    # Progress by steps is for one pair alone.
    for name in ("make_us_rich.hooks.run", "make_us_rich.models.backtesting"):
        logging.getLogger(name).setLevel(logging.WARNING)
    sender.send(run_pair(run))


def _stop(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    """Raise in the run, so that Kedro's hooks release the pair."""
    signal.signal(number, signal.SIG_IGN)
    raise RunStoppedError("the run was stopped", "run the pair again")


def _end_with_parent() -> None:
    """Stop the run when the process that waits for it is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)  # Time to give a lease back.
    os._exit(1)


class ReportingRunner(SequentialRunner):
    """Kedro's sequential runner; afterwards it knows what is served, if the pipeline decides about that."""

    published, message = False, "done"
    _logger = logging.getLogger(SequentialRunner.__module__)

    def run(self, pipeline: Pipeline, catalog: DataCatalog, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Run, then read the champion pointer."""
        outputs: dict[str, Any] = super().run(pipeline, catalog, *args, **kwargs)
        for name in pipeline.all_outputs():
            if name.endswith(".champion"):
                version, pointer = catalog.load(f"{name.partition('.')[0]}.run").version, catalog.load(name)
                self.published, self.message = pointer.version == version, pointer.outcome(version)
        return outputs


def run_pair(run: PairRun) -> RunResult:
    """Run a pair in this process; its failure is part of the result."""
    started, runner = time.perf_counter(), ReportingRunner()
    try:
        with KedroSession.create(**run.session) as session:
            cast("KedroSession", session).run(runner=runner, **run.arguments)
        status, message = RunStatus.PUBLISHED if runner.published else RunStatus.DONE, runner.message
    except Exception as exc:
        status = RunStatus.LOCKED if isinstance(own_error(exc), LockedError) else RunStatus.FAILED
        message = explain(exc) or f"{type(exc).__name__}: {exc}".splitlines()[0]
        if explain(exc) is None:
            log.exception("%s: the run failed", run.pair)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return RunResult(
        pair=run.pair,
        status=status,
        message=message,
        seconds=time.perf_counter() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss // 1024,
    )


class PrefixFormatter(logging.Formatter):
    """Another formatter's lines, each with a pair's name before it."""

    def __init__(self, inner: logging.Formatter, pair: str) -> None:
        super().__init__()
        self._inner, self._pair = inner, pair

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines."""
        return "\n".join(f"{self._pair} | {line}" for line in self._inner.format(record).splitlines())
