"""Pairs side by side on the machines of a Dask cluster."""

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from make_us_rich.catalog import find_project
from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.runners.fan_out import FanOutRunner, RunningParameters
from make_us_rich.runners.pair_process import run_in_process
from make_us_rich.runners.pair_run import PairRun, RunResult, RunStatus

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10
WORKER_SECONDS = 60
RETRY_SECONDS = 2.0


class ClusterError(MakeUsRichError):
    """The cluster cannot be reached, or has no worker."""

    code = "cluster_failed"


class DaskRunner(FanOutRunner):
    """One task for each pair, on Dask workers that were started in the project's folder (docs/many-pairs.md).

    A task is one pair's run in a process beside its worker: data between nodes stays there, artifacts go through the
    catalog. Dask gives the tasks of a lost worker to another one.

    Example:
        ``kedro run --env=production --pipeline=all --runner=make_us_rich.runners.DaskRunner``
    """

    def results(self, runs: Sequence[PairRun], running: RunningParameters) -> Iterator[RunResult]:
        """Run the pairs; leaving early cancels the tasks that have not begun."""
        with connect(running.scheduler) as client:
            from distributed import as_completed

            tasks = {}
            machines = _count_machines(client)
            for run in runs:
                # The exchange counts requests by address, and machines do not know each other's.
                share = {} if machines == 1 else {"exchange_weight": max(1, run.exchange_weight // machines)}
                parameters = {**run.session["runtime_params"], **share}
                shared = replace(run, session={**run.session, "runtime_params": parameters})
                options = {"key": f"{run.pair}-{time.time_ns()}", "pure": False, "retries": running.retries}
                tasks[client.submit(work, shared, running.lock_timeout, **options)] = run.pair
            for task in as_completed(tasks, loop=client.loop):
                error, pair = task.exception(), tasks[task]
                if error is None:
                    yield task.result()
                elif isinstance(error, PairKilledError):
                    yield RunResult.killed(pair)
                else:
                    message = f"{pair}: {error}; read the logs of the workers and run the pair again"
                    yield RunResult(pair, RunStatus.FAILED, message)


@contextlib.contextmanager
def connect(scheduler: str) -> Iterator["Client"]:
    """A client of a scheduler that has workers.

    Args:
        scheduler: Address such as ``tcp://10.0.0.5:8786``; empty for what ``DASK_SCHEDULER_ADDRESS`` says.

    Raises:
        ClusterError: There is no address, nobody answers there, or no worker comes.
    """
    if find_spec("distributed") is None:
        raise ClusterError("Dask is not installed", 'pip install "make-us-rich[cluster]"')
    import dask
    from distributed import Client

    address = scheduler or dask.config.get("scheduler-address", None)
    if not address:
        raise ClusterError("no cluster", "set DASK_SCHEDULER_ADDRESS, or --params=running.scheduler=tcp://<host>:8786")
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except OSError as exc:
        raise ClusterError(f"no Dask scheduler answers at {address}", "start one with dask scheduler") from exc
    with client:
        try:
            client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as exc:
            raise ClusterError(
                f"{address} has no worker",
                f"start some in the project's folder: dask worker {address} --nthreads 1 --no-nanny",
            ) from exc
        log.info("%s: %d workers on %d machines", address, len(client.ncores()), _count_machines(client))
        yield client


def _count_machines(client: "Client") -> int:
    return len({worker["host"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()})


class PairKilledError(Exception):
    """The process of a pair was killed and its worker lives; Dask starts the task again."""


def work(run: PairRun, lock_timeout: float) -> RunResult:
    """Run one pair on a worker, in a process of its own.

    Args:
        run: What to run; the project is the one in whose folder the worker was started.
        lock_timeout: Seconds to wait for a pair that is held: a lost worker's lease takes a minute to go stale.

    Raises:
        PairKilledError: The process was killed.
    """
    from distributed import get_worker

    here = replace(run, session={**run.session, "project_path": find_project()})
    deadline = time.monotonic() + lock_timeout
    while True:
        result = run_in_process(here)
        if result.status is RunStatus.KILLED:
            raise PairKilledError(run.pair)
        if result.status is not RunStatus.LOCKED or time.monotonic() > deadline:
            return replace(result, worker=str(get_worker().name))
        time.sleep(RETRY_SECONDS)
