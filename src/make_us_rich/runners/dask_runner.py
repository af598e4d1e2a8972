"""Pairs side by side on the machines of a Dask cluster."""

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from make_us_rich.config import find_project
from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.runners.fan_out import FanOutRunner
from make_us_rich.runners.outcome import Outcome, killed
from make_us_rich.runners.pair_run import PairRun
from make_us_rich.runners.parameters import RunningParameters
from make_us_rich.runners.warm_process import WarmProcess

if TYPE_CHECKING:
    from distributed import Client, Future

log = logging.getLogger(__name__)

CONNECT_SECONDS = 20
WORKER_SECONDS = 60
ASK_AGAIN_SECONDS = 2.0


class ClusterError(MakeUsRichError):
    """The cluster cannot be reached, or has nobody who works."""


class DaskRunner(FanOutRunner):
    """A task a pair, on Dask workers that stand in the project's folder; docs/many-pairs.md tells how to start them.

    A task is one pair's run in a process of its own beside its worker: what passes from node to node stays there,
    and artifacts go through the catalog. Dask gives the tasks of a lost worker to another.

    Example:
        ``kedro run --env=production --pipeline=all --runner=make_us_rich.runners.DaskRunner``
    """

    def outcomes(self, runs: Sequence[PairRun], running: RunningParameters) -> Iterator[Outcome]:
        """Run the pairs; when this is left early, tasks that have not begun are forgotten."""
        with connect(running.scheduler) as client:
            shared = [_with_share(run, _machines(client)) for run in runs]
            tasks = {_submit(client, run, running): run for run in shared}
            from distributed import as_completed

            for task in as_completed(tasks, loop=client.loop):
                yield _ended(task, tasks[task])


@contextlib.contextmanager
def connect(scheduler: str) -> Iterator["Client"]:
    """A client of a scheduler that has workers.

    Args:
        scheduler: Address such as ``tcp://10.0.0.5:8786``; empty for what ``DASK_SCHEDULER_ADDRESS`` says.

    Raises:
        ClusterError: There is no address, nobody answers there, or no worker comes.
    """
    if find_spec("distributed") is None:
        raise ClusterError('a cluster needs Dask: pip install "make-us-rich[cluster]"')
    import dask
    from distributed import Client

    address = scheduler or dask.config.get("scheduler-address", None)
    if not address:
        raise ClusterError("no cluster: set DASK_SCHEDULER_ADDRESS, or --params=running.scheduler=tcp://<host>:8786")
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except OSError as exc:
        raise ClusterError(f"no Dask scheduler answers at {address}; start one with dask scheduler") from exc
    with client:
        _wait_for_workers(client, address)
        yield client


def _wait_for_workers(client: "Client", address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError as exc:
        raise ClusterError(
            f"{address} has no worker; start some in the project's folder: dask worker {address} --nthreads 1"
        ) from exc
    log.info("%s: %d workers on %d machines", address, len(client.ncores()), _machines(client))


def _machines(client: "Client") -> int:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return len({worker["host"] for worker in workers})


def _with_share(run: PairRun, machines: int) -> PairRun:
    """The exchange counts what comes from one address, and machines cannot see what others have asked."""
    return run if machines == 1 else run.having(exchange_weight=max(1, int(run.exchange_weight / machines)))


def _submit(client: "Client", run: PairRun, running: RunningParameters) -> "Future[Outcome]":
    return client.submit(
        work,
        run,
        running.patience,
        key=f"{run.pair}-{time.time_ns()}",
        pure=False,
        retries=running.retries,
    )


class PairKilledError(Exception):
    """The process of a pair was killed, beside a worker that lives; Dask begins the task again."""


def work(run: PairRun, patience: float) -> Outcome:
    """What a worker does: one pair, in a process of its own.

    Args:
        run: What to run; its project is the one in whose folder the worker stands.
        patience: Seconds to wait for a pair that is held: a worker that was lost may have left a lease behind,
            and nobody can tell it from that of one that only cannot be heard.

    Raises:
        PairKilledError: The process was killed.
    """
    here, deadline = replace(run, project=str(_project())), time.monotonic() + patience
    while True:
        outcome = _warm(here.project, networks=here.networks).run(here)
        if outcome.killed:
            raise PairKilledError(run.pair)
        if not outcome.held or time.monotonic() > deadline:
            return replace(outcome, worker=_name())
        time.sleep(ASK_AGAIN_SECONDS)


def _project() -> Path:
    return find_project()


@cache
def _warm(project: str, *, networks: bool) -> WarmProcess:
    """One warm process a worker; it ends with the worker."""
    return WarmProcess(Path(project), networks=networks)


def _name() -> str:
    from distributed import get_worker

    return str(get_worker().name)


def _ended(task: "Future[Outcome]", run: PairRun) -> Outcome:
    error: Any = task.exception()
    if error is None:
        outcome: Outcome = task.result()
        return outcome
    if isinstance(error, PairKilledError):
        return killed(run.pair)
    return Outcome(run.pair, f"{run.pair}: {error}; look at the logs of the workers and run it again", failed=True)
