"""Checks, locks and context of a run, before any node runs."""

import atexit
import ctypes
import fcntl
import json
import logging
import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from make_us_rich.catalog import store_root
from make_us_rich.domain.pair import Pair
from make_us_rich.domain.run import RunContext, utc_now
from make_us_rich.locks import HeldLock, pair_lock
from make_us_rich.models.registry import trains_network
from make_us_rich.project_parameters import check_parameters, configure_pairs, configured_pairs
from make_us_rich.replay import ReplayServer, SimulatedMarket, answers
from make_us_rich.runners.fan_out import PAIR_RUNS, fans_out
from make_us_rich.runners.pair_run import PairRun, is_filtered, own_pipelines
from make_us_rich.storage import check_storage

log = logging.getLogger(__name__)


class RunHooks:
    """Refuses a run that cannot succeed, holds its pairs while it lasts, and logs its progress.

    Args:
        clock: The time of day, UTC, that nodes receive.
    """

    _context: KedroContext

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._resources = ExitStack()
        self._locks: dict[str, HeldLock] = {}
        self._credentials: dict[str, Any] = {}
        self._done = self._total = 0
        atexit.register(self._resources.close)

    @hook_impl(wrapper=True)
    def after_context_created(self, context: KedroContext) -> Generator[None]:
        """Check the parameters while no other run of this project creates MLflow's tables."""
        with lock_folder(context.project_path):
            self._context = context
            self._start_replay()
            parameters = context.config_loader["parameters"]
            context.config_loader["parameters"] = parameters  # Kedro would read the files once more.
            configure_pairs(check_parameters(parameters).pairs)
            return (yield)  # kedro-mlflow opens its store.

    @hook_impl
    def after_catalog_created(self, catalog: DataCatalog, conf_creds: dict[str, Any], save_version: str | None) -> None:
        """Add the run's context of each pair to the catalog."""
        self._credentials = conf_creds.get("storage") or {}
        started, revision = self._clock(), git_revision(Path(self._context.project_path))
        for pair in configured_pairs():
            run = RunContext(pair, save_version or "", started, revision, self._clock)
            catalog[f"{pair.name}.run"] = MemoryDataset(run, copy_mode="assign")  # Not every clock can be copied.

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Check the store, then hold every pair of the run; before kedro-mlflow starts its run."""
        root = store_root(self._context.config_loader["globals"]["root"], Path(self._context.project_path))
        check_storage(root, self._credentials)
        self._done, self._total = 0, len(pipeline.nodes)
        if fans_out(run_params):
            # Give the runner one run for each pair; only those are recorded in MLflow.
            mlflow: Any = vars(self._context)["mlflow"]  # kedro-mlflow's configuration
            mlflow.tracking.disable_tracking.pipelines = run_params["pipeline_names"] or ["__default__"]
            catalog[PAIR_RUNS] = list(self._pair_runs(run_params, pipeline))
            return
        with ExitStack() as taken:  # All pairs or none: Kedro reports an error of this hook to no other.
            for pair in pairs_of(pipeline):
                self._locks[pair.name] = taken.enter_context(pair_lock(root, pair.name, self._credentials))
            self._resources.push(taken.pop_all())

    @hook_impl
    def before_dataset_saved(self, dataset_name: str) -> None:
        """Save only while the pair is held: a suspended run may lose its lease in a bucket."""
        if lock := self._locks.get(dataset_name.partition(".")[0]):
            lock.check()

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Log the progress, and give freed memory back: glibc keeps some 30 MB of arrays."""
        with suppress(AttributeError):  # Not every C library has it.
            ctypes.CDLL(None).malloc_trim(0)
        self._done += 1
        log.info("%d/%d %s", self._done, self._total, node.name)

    @hook_impl(wrapper=True)
    def after_pipeline_run(self) -> Generator[None]:
        """Release the pairs and stop the replay exchange; keep the statistics of other pairs for Kedro-Viz."""
        statistics = Path(self._context.project_path) / ".viz" / "stats.json"
        earlier = read_statistics(statistics)
        try:
            yield  # Kedro-Viz replaces the file with what this process has seen.
            if earlier:
                statistics.write_text(json.dumps(earlier | read_statistics(statistics)))
        finally:
            self._resources.close()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Release the pairs and stop the replay exchange."""
        self._resources.close()

    def _start_replay(self) -> None:
        """Start a replay exchange in this process if the environment asks for one and none answers.

        Configuration must not have been read before: Kedro resolves ``runtime_params`` once.
        """
        loader = self._context.config_loader
        settings = loader["globals"]
        market: dict[str, Any] | None = settings.get("replay")
        if market is None or "exchange_url" in loader.runtime_params or answers(settings["exchange_url"]):
            return
        server = ReplayServer(SimulatedMarket(**market)).start()
        self._resources.callback(server.stop)
        loader.runtime_params["exchange_url"] = server.url
        log.info("no replay exchange at %s: this run starts its own, simulated one", settings["exchange_url"])

    def _pair_runs(self, run_params: Mapping[str, Any], pipeline: Pipeline) -> Iterator[PairRun]:
        loader: Any = self._context.config_loader
        parameters, versions = loader["parameters"], run_params["load_versions"] or {}
        networks = trains_network(parameters["architectures"])
        session = {
            "project_path": run_params["project_path"],
            "env": run_params["env"],
            "conf_source": str(loader.conf_source),
            "runtime_params": loader.runtime_params,
        }
        for pair in (each.name for each in pairs_of(pipeline)):
            nodes = tuple(node.name for node in pipeline.nodes if node.name.startswith(f"{pair}."))
            own_versions = {name: version for name, version in versions.items() if name.startswith(f"{pair}.")}
            arguments = {
                "pipeline_names": list(own_pipelines(run_params["pipeline_names"], pair)),
                "node_names": nodes if is_filtered(run_params) else None,
                "load_versions": own_versions or None,
                "only_missing_outputs": run_params["only_missing_outputs"],
            }
            yield PairRun(pair, session, arguments, parameters["exchange_weight"], networks)


def pairs_of(pipeline: Pipeline) -> list[Pair]:
    """The pairs whose nodes a pipeline runs, in order."""
    names = {node.namespace.split(".")[0] for node in pipeline.nodes if node.namespace}
    return sorted(Pair.parse(name) for name in names)


def read_statistics(file: Path) -> dict[str, Any]:
    """Kedro-Viz's statistics of datasets; none where the file is absent or damaged."""
    try:
        statistics: dict[str, Any] = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return statistics


@contextmanager
def lock_folder(folder: str | Path) -> Iterator[None]:
    """Hold the kernel's lock on a folder; it needs no file and ends with the process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def git_revision(project: Path) -> str:
    """The commit of a checkout; ``unknown`` without one, or without git, as in an image."""
    if shutil.which("git") is None:
        return "unknown"
    command = ["git", "-C", str(project), "rev-parse", "HEAD"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (fixed but for a path)
    return answer.stdout.strip() if answer.returncode == 0 else "unknown"
