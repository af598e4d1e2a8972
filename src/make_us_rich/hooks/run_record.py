"""What MLflow is told of a run beside what kedro-mlflow records by itself."""

import json
import math
from collections.abc import Iterator
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from pydantic import BaseModel

from make_us_rich.hooks.run_checks import pairs_of

KEPT = ("data_report", "judgement", "manifest", "tuned")
"""Datasets that become artifacts of the run. The manifest has the environment (versions of the packages) and the
checksums of what was published; the models themselves stay in the store, under the run's version."""


TEXTS = {"card_text": "card.md", "figures_page": "figures.html"}
"""Datasets that become artifacts as they are, and their file names."""


class RunRecordHooks:
    """Records every hyperparameter under its full path, and tags the run with its version, revision and pairs."""

    @hook_impl(trylast=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """After kedro-mlflow has begun its run; nothing where it is not installed or switched off."""
        run = active_run()
        if run is None:
            return
        import mlflow

        used = [name for name in pipeline.inputs() if name.startswith("params:")]
        parameters = {name.removeprefix("params:"): catalog.load(name) for name in used}
        mlflow.log_params(dict(flatten(parameters)))
        context = catalog.load(f"{pairs_of(pipeline)[0]}.run")
        mlflow.set_tags({"version": context.version, "git_revision": context.git_revision})

    @hook_impl
    def after_node_run(self, outputs: dict[str, Any]) -> None:
        """Tag the run with what was made from which candles, and keep what a person reads of it as artifacts."""
        kept = {name: value for name, value in outputs.items() if name.split(".")[-1] in KEPT}
        candidates = {name: value for name, value in outputs.items() if name.endswith(".candidate")}
        texts = {name: value for name, value in outputs.items() if name.split(".")[-1] in TEXTS}
        trials = {name: value for name, value in outputs.items() if name.endswith(".new_trials")}
        if not (kept or texts or candidates or trials) or active_run() is None:
            return
        import mlflow

        for name, value in kept.items():
            mlflow.log_dict(value, f"{name.replace('.', '/')}.json")
        for name, text in texts.items():
            pair, dataset = name.split(".")
            mlflow.log_text(text, f"{pair}/{TEXTS[dataset]}")
        for name, candidate in candidates.items():
            pair = name.removesuffix(".candidate")
            span = "{start} to {end}, {rows} candles".format_map(candidate["data"])
            mlflow.set_tags({f"{pair}.data": span, f"{pair}.architecture": candidate["architecture"]})
        for name, table in trials.items():
            pair = name.removesuffix(".new_trials")
            mlflow.log_text(table.to_csv(index=False), f"{pair}/trials.csv")
            for trial in table.to_dict("records"):
                record_trial(pair, trial)


def record_trial(pair: str, trial: dict[str, Any]) -> None:
    """A run below the search's, so that trials can be sorted and compared: hyperparameters, loss, time.

    Args:
        pair: Name such as ``btc_usdt``.
        trial: A row of the table of trials.
    """
    import mlflow

    figures = {name: trial[name] for name in ("loss", "baseline_loss", "seconds")}
    with mlflow.start_run(run_name=f"{pair} {trial['architecture']} {trial['number']}", nested=True):
        mlflow.log_params(dict(flatten(json.loads(trial["parameters"]), trial["architecture"])))
        mlflow.log_metrics({name: value for name, value in figures.items() if math.isfinite(value)})
        mlflow.set_tags({"pair": pair, **{name: trial[name] for name in ("version", "recipe", "reason")}})


def active_run() -> Any:
    """The MLflow run that kedro-mlflow has begun, or None. Never the first to import MLflow."""
    import sys

    mlflow = sys.modules.get("mlflow")
    return mlflow.active_run() if mlflow else None


def flatten(parameters: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Nested parameters as ``stage.architecture.name`` and value."""
    if isinstance(parameters, BaseModel):
        parameters = parameters.model_dump()
    if not isinstance(parameters, dict):
        yield path, parameters
        return
    for name, value in parameters.items():
        yield from flatten(value, f"{path}.{name}" if path else name)
