"""What MLflow records of a run in addition to what kedro-mlflow records by itself."""

import json
import logging
import math
import sys
from collections.abc import Generator, Iterator
from typing import Any

import pandas as pd
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from pydantic import BaseModel

from make_us_rich.hooks.run import pairs_of
from make_us_rich.tracking import move_alias, page, register, warn_of_errors

log = logging.getLogger(__name__)

TEXTS = {"card_text": "card.md", "figures_page": "figures.html"}
"""Datasets that become text artifacts, and their file names."""


class TrackingHooks:
    """Tags the run with pair, version, verdict and command, and records parameters and artifacts."""

    @hook_impl(wrapper=True, trylast=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> Generator[None]:
        """Record parameters and tags, after kedro-mlflow has started its run; nothing without an MLflow run."""
        # MLflow asks IPython whether this is a notebook of Databricks: 0.5 s and 20 MB.
        sys.modules.setdefault("IPython", None)  # type: ignore[arg-type]
        try:
            result = yield
        finally:
            if sys.modules["IPython"] is None:
                del sys.modules["IPython"]
        if active_run() is None:
            return result
        import mlflow

        used = [name for name in pipeline.inputs() if name.startswith("params:")]
        parameters = {name.removeprefix("params:"): catalog.load(name) for name in used}
        mlflow.log_params(dict(flatten(parameters)))
        names = [pair.name for pair in pairs_of(pipeline)]
        context = catalog.load(f"{names[0]}.run")
        mlflow.set_tags(
            {
                "pair": ", ".join(names),
                "version": context.version,
                "git_revision": context.git_revision,
                "mlflow.source.name": f"kedro run --pipelines={','.join(names)}",
                "mlflow.source.type": "PROJECT",
            }
        )
        return result

    @hook_impl
    def after_node_run(self, outputs: dict[str, Any]) -> None:
        """Tag the run with the verdict and the data, and keep what a person reads as artifacts."""
        if active_run() is None:
            return
        import mlflow

        for name, value in outputs.items():
            pair, _, dataset = name.partition(".")
            # The models stay in the store, under the run's version.
            if dataset in ("data_report", "evaluation_report", "manifest", "best_params"):
                mlflow.log_dict(value, f"{pair}/{dataset}.json")
            if dataset in TEXTS:
                mlflow.log_text(value, f"{pair}/{TEXTS[dataset]}")
            if dataset == "evaluation_report":
                outcome = "published" if value["verdict"]["publish"] else "not published"
                tags = {"verdict": outcome, "verdict.reason": value["verdict"]["reason"]}
                mlflow.set_tags({**tags, "architecture": value["choice"]})
            if dataset == "candidate":
                mlflow.set_tag("data", "{start} to {end}, {rows} candles".format_map(value["data"]))
            if dataset == "new_trials":
                record_trials(pair, value)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Let MLflow's registry follow the champion, and log the run's address, before kedro-mlflow ends the run."""
        if (run := active_run()) is None:
            return
        import mlflow

        for pair in (each.name for each in pairs_of(pipeline) if f"{each.name}.champion" in pipeline.datasets()):
            with warn_of_errors(pair):
                pointer, client = catalog.load(f"{pair}.champion"), mlflow.MlflowClient()
                if not move_alias(client, pointer) and pointer.version == catalog.load(f"{pair}.run").version:
                    served, klines = catalog.load(f"{pair}.served_model"), catalog.load(f"{pair}.klines")
                    register(client, served, klines, run.info.run_id)
                    move_alias(client, pointer)
        if not mlflow.get_tracking_uri().startswith("http"):  # MLflow itself prints the address on a server.
            log.info("in MLflow (kedro mlflow ui): %s", page(run.info.experiment_id, f"/{run.info.run_id}"))


def record_trials(pair: str, trials: pd.DataFrame) -> None:
    """Record each trial of a search, a row each, as a run below the search's: hyperparameters, loss, seconds."""
    import mlflow

    mlflow.log_text(trials.to_csv(index=False), f"{pair}/trials.csv")
    for trial in trials.to_dict("records"):
        metrics = {name: trial[name] for name in ("loss", "baseline_loss", "seconds")}
        with mlflow.start_run(run_name=f"{pair} {trial['architecture']} {trial['number']}", nested=True):
            mlflow.log_params(dict(flatten(json.loads(trial["parameters"]), trial["architecture"])))
            mlflow.log_metrics({name: value for name, value in metrics.items() if math.isfinite(value)})
            mlflow.set_tags({"pair": pair, **{name: trial[name] for name in ("version", "recipe", "reason")}})


def active_run() -> Any:
    """The MLflow run that kedro-mlflow has started, or None; never imports MLflow itself."""
    mlflow = sys.modules.get("mlflow")
    return mlflow.active_run() if mlflow else None


def flatten(parameters: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Nested parameters as pairs of ``stage.architecture.name`` and value."""
    if isinstance(parameters, BaseModel):
        parameters = parameters.model_dump()
    if not isinstance(parameters, dict):
        yield path, parameters
        return
    for name, value in parameters.items():
        yield from flatten(value, f"{path}.{name}" if path else name)
