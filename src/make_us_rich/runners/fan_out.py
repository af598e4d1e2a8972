"""Runners that give each pair a run of its own, and the one that runs pairs side by side on this machine."""

import logging
import multiprocessing
import os
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from typing import Any

import click
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.runner import AbstractRunner
from pydantic import BaseModel, ConfigDict, Field

from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.runners.pair_process import run_in_process
from make_us_rich.runners.pair_run import PairRun, RunResult, RunStatus

log = logging.getLogger(__name__)

PAIR_RUNS = "pair_runs"
"""Dataset of the pairs' runs; a hook adds it to the catalog before the pipeline runs."""


class RunningParameters(BaseModel):
    """``params:running``.

    Attributes:
        workers: Pairs side by side on one machine; 0 for as many as there are cores.
        scheduler: Address of the Dask scheduler, such as ``tcp://10.0.0.5:8786``; empty for what
            ``DASK_SCHEDULER_ADDRESS`` says.
        retries: How often a cluster restarts a pair whose process was killed.
        lock_timeout: Seconds that a pair waits on a cluster for another run that holds it: a lost worker's lease
            takes a minute to go stale.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    workers: int = Field(ge=0)
    scheduler: str = Field(pattern=r"^((tcp|tls)://.+)?$")
    retries: int = Field(ge=0)
    lock_timeout: int = Field(ge=0)


class PairsFailedError(MakeUsRichError):
    """The runs of some pairs failed; the others are complete."""

    code = "pairs_failed"


class FanOutRunner(AbstractRunner):
    """Runs each pair of a pipeline as a run of its own, in its own process: with a lock, a version and an MLflow run.

    The run that fans out holds no pair, publishes nothing and is not recorded.
    """

    @abstractmethod
    def results(self, runs: Sequence[PairRun], running: RunningParameters) -> Iterator[RunResult]:
        """Run the pairs and yield each result as soon as it is there."""

    def run(self, pipeline: Pipeline, catalog: DataCatalog, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]  # noqa: ARG002
        """Run every pair.

        Returns:
            Nothing: all that a pair makes is in the catalog.

        Raises:
            PairsFailedError: Some pairs failed; raised after all have ended.
        """
        runs: list[PairRun] = catalog.load(PAIR_RUNS)
        running = RunningParameters.model_validate(catalog.load("params:running"))
        results: list[RunResult] = []
        started = time.monotonic()
        for result in self.results(runs, running):
            results.append(result)
            left = (time.monotonic() - started) / len(results) * (len(runs) - len(results))
            remaining = f", about {left:.0f} s left" if left >= 1 else ""
            level = logging.ERROR if result.failed else logging.INFO
            log.log(level, "%d/%d %s%s", len(results), len(runs), result.line, remaining)
        click.echo(tabulate(results))
        if names := sorted(result.pair for result in results if result.failed):
            raise PairsFailedError(
                f"{len(names)} of {len(runs)} pairs failed ({', '.join(names)}), each for the reason in the table",
                "the others are complete",
            )
        return {}

    def _get_executor(self, max_workers: int) -> Executor | None:  # noqa: ARG002
        return None  # Kedro's loop over nodes is not used.

    def _run(self, pipeline: Pipeline, *args: Any, **kwargs: Any) -> None:
        """Kedro's loop over nodes is not used."""


class ProcessesRunner(FanOutRunner):
    """One process for each pair, as many at once as there are cores; the default of ``kedro run --pipeline=all``.

    A ``ProcessPoolExecutor`` breaks as a whole when one of its processes is killed. Here the other pairs go on.

    Example:
        ``kedro run --pipeline=all --params=running.workers=4``
    """

    def results(self, runs: Sequence[PairRun], running: RunningParameters) -> Iterator[RunResult]:
        """Run the pairs; leaving early stops the processes."""
        workers = min(running.workers or len(os.sched_getaffinity(0)), len(runs))
        lanes = ThreadPoolExecutor(workers)
        try:
            for lane in as_completed([lanes.submit(run_in_process, run) for run in runs]):
                yield lane.result()
        finally:
            lanes.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()


def tabulate(results: Sequence[RunResult]) -> str:
    """Tabulate all results, failures last."""
    ordered = sorted(results, key=lambda result: (result.failed, result.pair))
    width = max((len(result.pair) for result in ordered), default=4)
    rows = [
        f"{result.pair:<{width}}  {result.seconds:6.1f} s  {'FAILED  ' if result.failed else ''}{result.message}"
        for result in ordered
    ]
    published = sum(result.status is RunStatus.PUBLISHED for result in results)
    cpu_seconds = sum(result.cpu_seconds for result in results)
    peak_mb = max((result.peak_mb for result in results), default=0)
    total = f"{len(results)} pairs, {published} published; {cpu_seconds:.0f} s of CPU, at most {peak_mb} MB a pair"
    return "\n".join([f"{'pair':<{width}}    took    result", *rows, "", total])


def fans_out(run_params: Mapping[str, Any]) -> bool:
    """Whether the session's runner is one of these. Kedro gives hooks the runner's ``repr`` only."""
    names = (kind.__name__ for kind in FanOutRunner.__subclasses__())
    return any(f".{name} object" in str(run_params.get("runner")) for name in names)
