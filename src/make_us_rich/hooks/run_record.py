"""What MLflow is told of a run beside what kedro-mlflow records by itself."""

from collections.abc import Iterator
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from pydantic import BaseModel

from make_us_rich.hooks.run_checks import pairs_of

KEPT = ("data_report", "manifest")
"""Datasets that become artifacts of the run. The manifest has the environment (versions of the packages) and the
checksums of what was published; the models themselves stay in the store, under the run's version."""


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
        if not (kept or candidates) or active_run() is None:
            return
        import mlflow

        for name, value in kept.items():
            mlflow.log_dict(value, f"{name.replace('.', '/')}.json")
        for name, candidate in candidates.items():
            pair = name.removesuffix(".candidate")
            span = "{start} to {end}, {rows} candles".format_map(candidate["data"])
            mlflow.set_tags({f"{pair}.data": span, f"{pair}.architecture": candidate["architecture"]})


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
