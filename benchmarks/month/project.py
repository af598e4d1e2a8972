"""A project in a folder of its own, and its pipelines in this process: the real nodes, catalog, hooks and locks.

What is left out of a real ``kedro run`` are the command line and MLflow, which take seven seconds of start-up each time
and know nothing of a clock that is set.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from make_us_rich.catalog import in_project, open_config
from make_us_rich.domain.pair import Pair
from make_us_rich.hooks.run import RunHooks
from make_us_rich.hooks.run_log import RunLogHooks
from make_us_rich.pipeline_registry import KINDS, create_flow, for_pair
from make_us_rich.project_parameters import check_parameters, configure_pairs

REPOSITORY = Path(__file__).resolve().parents[2]
PAIR = "btc_usdt"
STORE = "store"
IN_MLFLOW = ("live_metrics", "run_metrics", "training_losses")


def lay_out(folder: Path, exchange: str, parameters: dict[str, Any]) -> Path:
    """A project with the configuration of this checkout, another exchange and store, and other parameters."""
    shutil.copytree(REPOSITORY / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    local = folder / "conf" / "local"
    local.mkdir()
    (local / "globals.yml").write_text(yaml.safe_dump({"exchange_url": exchange, "root": STORE}))
    (local / "parameters.yml").write_text(yaml.safe_dump({"pairs": [PAIR], **parameters}))
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    for name in ("src", "data", STORE):
        (folder / name).mkdir()
    return folder


@dataclass(frozen=True)
class _Context:
    """What hooks look at of Kedro's context."""

    config_loader: dict[str, Any]
    project_path: Path


class Project:
    """Runs pipelines of one project, one after the other; a new one is a process that was started anew.

    Args:
        folder: The project's; the working directory of the process is to be the same.
        clock: The time, UTC, of machine and exchange alike.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        self.folder, self.clock = folder, clock
        config = open_config("local", folder)
        with in_project(folder):
            self._config = {name: config[name] for name in ("catalog", "credentials", "globals", "parameters")}
        self.parameters = check_parameters(self._config["parameters"])
        configure_pairs(self.parameters.pairs)
        self._flows = {prefix: create_flow(stages) for prefix, stages in KINDS.items()}

    def run(self, kind: str = "") -> None:
        """Run a pipeline of the pair, as ``kedro run`` does.

        Args:
            kind: What the pipeline's name begins with, such as ``monitor_``.
        """
        pipeline = for_pair(self._flows[kind], Pair.parse(PAIR))
        hooks = _create_hook_manager()
        for each in (RunHooks(self.clock), RunLogHooks(self.clock)):
            hooks.register(each)
        catalog = self._catalog(hooks.hook, pipeline)
        params = {"pipeline_names": [f"{kind}{PAIR}"]}
        told: dict[str, Any] = {"run_params": params, "pipeline": pipeline, "catalog": catalog}
        hooks.hook.before_pipeline_run(**told)
        try:
            SequentialRunner().run(pipeline, catalog, hooks)
        except Exception as error:
            hooks.hook.on_pipeline_error(error=error, **told)
            raise
        hooks.hook.after_pipeline_run(run_result={}, **told)

    def open_catalog(self, version: str | None = None) -> DataCatalog:
        """The catalog, as it is for a run of this version."""
        made: DataCatalog = DataCatalog.from_config(
            self._config["catalog"], self._config["credentials"], save_version=version
        )
        return made

    def _catalog(self, hook: Any, pipeline: Pipeline) -> DataCatalog:
        hook.after_context_created(context=_Context(self._config, self.folder))
        version = f"{self.clock():%Y-%m-%dT%H.%M.%S.000Z}"
        catalog = self.open_catalog(version)
        for name in pipeline.datasets():
            if name.startswith("params:"):
                value = getattr(self.parameters, name.removeprefix("params:"))
                catalog[name] = MemoryDataset(value, copy_mode="assign")
            elif name.split(".")[-1] in IN_MLFLOW:
                catalog[name] = MemoryDataset()
        known = {"conf_catalog": {}, "parameters": {}, "load_versions": None, "save_version": version}
        hook.after_catalog_created(catalog=catalog, conf_creds=self._config["credentials"], **known)
        return catalog
