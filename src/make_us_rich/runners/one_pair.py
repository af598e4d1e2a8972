"""One pair's run, as ``kedro run --pipeline=btc_usdt`` makes it: a session, a lock, a version, an MLflow run."""

import logging
import resource
import time
from pathlib import Path
from typing import Any, cast

from kedro.framework.project import LOGGING
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import LockedError
from make_us_rich.runners.outcome import Outcome
from make_us_rich.runners.pair_run import PairRun
from make_us_rich.storage import explain, own_error

log = logging.getLogger(__name__)

STEPS = ("make_us_rich.hooks.progress", "make_us_rich.models.walking")
"""Loggers that tell each step of a run: too much where forty tell theirs at once."""


class _Telling(SequentialRunner):
    """Kedro's own runner, that knows afterwards what is served."""

    told = "done"
    _logger = logging.getLogger(SequentialRunner.__module__)

    def run(self, pipeline: Pipeline, catalog: DataCatalog, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Run, then look at the champion pointer where the pipeline decides over it."""
        outputs: dict[str, Any] = super().run(pipeline, catalog, *args, **kwargs)
        for name in pipeline.all_outputs():
            if name.endswith(".champion"):
                run = catalog.load(f"{name.partition('.')[0]}.run")
                self.told = _served(catalog.load(name), run.version)
        return outputs


def _served(pointer: ChampionPointer, version: str) -> str:
    if pointer.version is None:
        return "nothing published yet"
    return f"published {version}" if pointer.version == version else f"still serving {pointer.version}"


def run_pair(run: PairRun) -> Outcome:
    """Run a pair in this process and say how it went; nothing that goes wrong is raised."""
    started, runner = time.perf_counter(), _Telling()
    failed = held = False
    try:
        _run(run, runner)
        told = runner.told
    except Exception as exc:  # One pair's failure leaves the others alone; it is told, and counts, at the end.
        failed, held, told = True, isinstance(own_error(exc), LockedError), _explained(run.pair, exc)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return Outcome(
        pair=run.pair,
        told=told,
        failed=failed,
        held=held,
        seconds=time.perf_counter() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss // 1024,
    )


def _run(run: PairRun, runner: SequentialRunner) -> None:
    with KedroSession.create(
        project_path=Path(run.project),
        env=run.env,
        runtime_params=dict(run.parameters),
        conf_source=run.conf_source,
    ) as session:
        cast("KedroSession", session).run(
            pipeline_names=list(run.pipelines),
            runner=runner,
            node_names=run.nodes,
            load_versions=dict(run.load_versions) if run.load_versions else None,
            only_missing_outputs=run.only_missing,
        )


def _explained(pair: str, exc: Exception) -> str:
    """The line that mends it; a fault of the program has its traceback in the log."""
    line = explain(exc)
    if line is None:
        log.exception("%s: the run failed", pair)
        line = f"{type(exc).__name__}: {exc}".splitlines()[0]
    return line


class _Prefixed(logging.Formatter):
    """Another formatter's lines, each with the pair before it."""

    def __init__(self, inner: logging.Formatter, pair: str) -> None:
        super().__init__()
        self._inner, self._pair = inner, pair

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(f"{self._pair} | {line}" for line in self._inner.format(record).splitlines())


def log_as(pair: str) -> None:
    """Let every line of this process begin with the pair, and leave out the steps."""
    assert LOGGING is not None  # noqa: S101
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Prefixed(handler.formatter or logging.Formatter(), pair))
    for name in STEPS:
        logging.getLogger(name).setLevel(logging.WARNING)
