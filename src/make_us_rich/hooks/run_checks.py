"""Before any node runs: parameters, store, locks; and what the nodes may know of their run."""

import atexit
import shutil
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline

from make_us_rich import pairs
from make_us_rich.config import store_root
from make_us_rich.domain.pair import Pair
from make_us_rich.domain.run import RunContext, utc_now
from make_us_rich.locks import Held, pair_lock
from make_us_rich.project_parameters import check_parameters
from make_us_rich.runners.fan_out import fans_out
from make_us_rich.storage import check_storage

PUBLISHED = frozenset(
    {
        "scaler",
        "onnx_model",
        "baseline_onnx",
        "manifest",
        "champion",
        "demoted_version",
        "kept_versions",
        "widths",
        "card",
        "card_text",
    }
)
"""Datasets that only the holder of a pair may write."""


class RunChecksHooks:
    """Refuses a run that cannot end well, and holds its pairs while it lasts.

    Args:
        clock: The time of day, UTC, that nodes are given.
    """

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._held = ExitStack()
        self._locks: dict[str, Held] = {}
        self._project = Path()
        self._root = ""
        self._credentials: dict[str, Any] = {}
        atexit.register(self._held.close)

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check the parameters and tell the pipeline registry the pairs."""
        parameters = check_parameters(context.config_loader["parameters"])
        pairs.configure(parameters.pairs)
        self._project = Path(context.project_path)
        self._root = store_root(context.config_loader["globals"]["root"], self._project)

    @hook_impl
    def after_catalog_created(self, catalog: DataCatalog, conf_creds: dict[str, Any], save_version: str | None) -> None:
        """Give each pair's nodes their run."""
        self._credentials = conf_creds.get("storage", {})
        started, revision = self._clock(), git_revision(self._project)
        for pair in pairs.configured():
            run = RunContext(pair, save_version or "", started, revision, self._clock)
            # Nobody can change it, and not every clock can be copied.
            catalog[f"{pair.name}.run"] = MemoryDataset(run, copy_mode="assign")

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Ask the store, then hold every pair of the run; first of all hooks, so that nothing has begun yet."""
        check_storage(self._root, self._credentials)
        if fans_out(run_params):
            return  # Each pair is held by the run of its own.
        # Kedro tells no hook of an error in here: when one pair is refused, the others are let go at once.
        with ExitStack() as taken:
            for pair in pairs_of(pipeline):
                lock = pair_lock(self._root, pair.name, self._credentials)
                self._locks[pair.name] = taken.enter_context(lock)
            self._held.push(taken.pop_all())

    @hook_impl
    def before_dataset_saved(self, dataset_name: str) -> None:
        """Publish only while the pair is held: a lease in a bucket can be lost where a run was frozen for long."""
        pair, _, name = dataset_name.partition(".")
        if name in PUBLISHED:
            self._locks[pair].check()

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Let the pairs go."""
        self._held.close()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Let the pairs go."""
        self._held.close()


def pairs_of(pipeline: Pipeline) -> list[Pair]:
    """The pairs whose nodes a pipeline runs, in order."""
    names = {node.namespace.split(".")[0] for node in pipeline.nodes if node.namespace}
    return sorted(Pair.parse(name) for name in names)


def git_revision(project: Path) -> str:
    """The commit of a checkout, or ``unknown`` where there is none, or no git, as in an image."""
    if shutil.which("git") is None:
        return "unknown"
    command = ["git", "-C", str(project), "rev-parse", "HEAD"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (fixed but for a path)
    return answer.stdout.strip() if answer.returncode == 0 else "unknown"
