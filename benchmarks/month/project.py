"""A project in a folder of its own, and its pipelines in this process: the real nodes, catalog, hooks and locks.

What is left out of a real ``kedro run`` are the command line and MLflow, which take seven seconds of start-up each time
and know nothing of a clock that is set.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from make_us_rich import pairs
from make_us_rich.catalog import open_config
from make_us_rich.config import in_project
from make_us_rich.domain.pair import Pair
from make_us_rich.hooks.attempts import AttemptHooks
from make_us_rich.hooks.run_checks import RunChecksHooks
from make_us_rich.pipeline_registry import KINDS, create_flow, for_pair
from make_us_rich.project_parameters import check_parameters

REPOSITORY = Path(__file__).resolve().parents[2]
PAIR = "btc_usdt"
IN_MLFLOW = ("live_metrics", "run_metrics", "training_losses")


def lay_out(folder: Path, exchange: str, parameters: dict[str, Any]) -> Path:
    """A project with the configuration of this checkout, another exchange and other parameters."""
    shutil.copytree(REPOSITORY / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    (folder / "conf" / "local" / "parameters.yml").write_text(yaml.safe_dump(parameters))
    (folder / "conf" / "local" / "globals.yml").write_text(yaml.safe_dump({"exchange_url": exchange}))
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    (folder / "src").mkdir()
    return folder


@dataclass
class Project:
    """Runs pipelines of one project, one after the other.

    Attributes:
        folder: The project's; the working directory of the process is to be the same.
        clock: The time, UTC, of machine and exchange alike.
        flows: Pipelines by what their names begin with; made once.
    """

    folder: Path
    clock: Callable[[], datetime]
    flows: dict[str, Pipeline] = field(
        default_factory=lambda: {prefix: create_flow(stages) for prefix, stages in KINDS.items()}
    )

    def run(self, kind: str = "", pair: str = PAIR) -> None:
        """Run a pipeline, as ``kedro run`` does.

        Args:
            kind: What the pipeline's name begins with, such as ``monitor_``.
            pair: The pair.
        """
        pipeline = for_pair(self.flows[kind], Pair.parse(pair))
        hooks = _create_hook_manager()
        for each in (RunChecksHooks(self.clock), AttemptHooks(self.clock)):
            hooks.register(each)
        catalog = self._catalog(hooks.hook, pipeline)
        told: dict[str, Any] = {"run_params": {}, "pipeline": pipeline, "catalog": catalog}
        hooks.hook.before_pipeline_run(**told)
        try:
            SequentialRunner().run(pipeline, catalog, hooks)
        except Exception as error:
            hooks.hook.on_pipeline_error(error=error, **told)
            raise
        hooks.hook.after_pipeline_run(run_result={}, **told)

    def _catalog(self, hook: Any, pipeline: Pipeline) -> DataCatalog:
        config = open_config("local", self.folder)
        context = _Context(config, self.folder)
        hook.after_context_created(context=context)
        version = f"{self.clock():%Y-%m-%dT%H.%M.%S.000Z}"
        with in_project(self.folder):
            catalog = DataCatalog.from_config(config["catalog"], config["credentials"], save_version=version)
        pairs.configure(config["parameters"]["pairs"])
        checked = check_parameters(config["parameters"])
        for name in pipeline.datasets():
            if name.startswith("params:"):
                catalog[name] = MemoryDataset(getattr(checked, name.removeprefix("params:")), copy_mode="assign")
            elif name.split(".")[-1] in IN_MLFLOW:
                catalog[name] = MemoryDataset()
        told = {"conf_catalog": {}, "parameters": {}, "load_versions": None}
        hook.after_catalog_created(catalog=catalog, conf_creds=config["credentials"], save_version=version, **told)
        return catalog


@dataclass(frozen=True)
class _Context:
    """What hooks look at of Kedro's context."""

    config_loader: Any
    project_path: Path
