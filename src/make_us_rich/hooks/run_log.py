"""Write the run log: when each run of a pair started, how it ended, and its result in one line."""

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.live import LiveScores
from make_us_rich.domain.run import utc_now
from make_us_rich.domain.run_log import MONITORING, PipelineRun, missed_hours, read_runs, update_runs, write_runs
from make_us_rich.hooks.run import pairs_of
from make_us_rich.locks import file_lock
from make_us_rich.runners.fan_out import fans_out
from make_us_rich.runners.pair_run import is_filtered, own_pipelines
from make_us_rich.storage import explain, own_error

log = logging.getLogger(__name__)


class RunLogHooks:
    """Records runs of whole pipelines in ``{pair}.runs`` by the clock of the machine, refused runs included."""

    def __init__(self, clock: Callable[[], Any] = utc_now) -> None:
        self._clock = clock
        self._runs: list[PipelineRun] = []

    @hook_impl(wrapper=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> Generator[None]:
        """Record the start; and the end where another hook refuses the run, which Kedro reports to no hook."""
        self._runs = []
        # A run that fans out starts one of its own for each pair.
        if not fans_out(run_params) and not is_filtered(run_params):
            started = self._clock()
            for pair in (each.name for each in pairs_of(pipeline)):
                for name in own_pipelines(run_params.get("pipeline_names"), pair):
                    self._runs.append(PipelineRun(pair=pair, pipeline=name, started=started))
                    _record(catalog, self._runs[-1])
        try:
            return (yield)
        except Exception as exc:
            self._end(catalog, exc)
            raise

    @hook_impl
    def after_pipeline_run(self, catalog: DataCatalog) -> None:
        """Record the end and the result."""
        self._end(catalog, None)

    @hook_impl
    def on_pipeline_error(self, error: Exception, catalog: DataCatalog) -> None:
        """Record the end and the error."""
        self._end(catalog, error)

    def _end(self, catalog: DataCatalog, error: Exception | None) -> None:
        for run in self._runs:
            forecast = None
            if error is None:
                reason, forecast = _result(catalog, run)
            else:
                reason = explain(error) or f"{type(error).__name__}: {error}"
            end = {"ended": self._clock(), "exit_code": 0 if error is None else 1, "reason": reason[:500]}
            _record(catalog, run.model_copy(update={**end, "forecast": forecast}))
        self._runs = []


def _result(catalog: DataCatalog, run: PipelineRun) -> tuple[str, bool | None]:
    """One line on what the pipeline did, and whether its hour has a forecast; None where it issues none."""
    pair = run.pair
    with _logging_errors(f"{pair}.runs"):
        if run.pipeline == MONITORING.format(pair=pair):
            scores = LiveScores.model_validate(catalog.load(f"{pair}.live_scores"))
            if scores.issued_at and scores.issued_at <= scores.at < scores.issued_at + HOUR:
                issuer = f"{scores.architecture} {scores.version}"
                return f"forecast for {scores.issued_at:%H:%M} UTC issued by {issuer}", True
            return f"no forecast: {scores.missed[-1].reason}" if scores.missed else "no forecast", False
        if run.pipeline == pair:
            pointer, version = catalog.load(f"{pair}.champion"), catalog.load(f"{pair}.run").version
            reason = f": {pointer.promotions[-1].reason}" if pointer.version == version else ""
            return f"{pointer.outcome(version)}{reason}", None
    return "done", None


def _record(catalog: DataCatalog, run: PipelineRun) -> None:
    name = f"{run.pair}.runs"
    with _logging_errors(name), file_lock(catalog, name):
        runs = read_runs(catalog.load(name), run.pair)
        missed = missed_hours(runs, run.pipeline, run.hour)
        catalog.save(name, write_runs(update_runs(runs, run.model_copy(update={"missed": missed}))))


@contextmanager
def _logging_errors(name: str) -> Iterator[None]:
    """A run goes on without its log; the check of the store reports what is wrong with it."""
    try:
        yield
    except Exception as exc:
        line, own = explain(exc), own_error(exc)
        if line is None or (own is not None and own.code == "stopped"):
            raise
        log.warning("%s: not recorded: %s", name, line)
