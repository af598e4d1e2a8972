"""Before a run whose runner gives each pair a run of its own: what each of them is."""

from collections.abc import Iterator, Mapping
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from make_us_rich.hooks.run_checks import pairs_of
from make_us_rich.models.registry import TrainingParameters, requested
from make_us_rich.runners.fan_out import ASKED, fans_out
from make_us_rich.runners.pair_run import PairRun, is_narrowed, own_pipelines


class FanOutHooks:
    """Tells the runner its runs, and MLflow that the run that only watches them is none."""

    _context: KedroContext

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep it: Kedro tells nobody else what was given with ``--params``, and what hooks have added to that."""
        self._context = context

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Before kedro-mlflow begins a run."""
        if fans_out(run_params):
            names = run_params["pipeline_names"] or ["__default__"]
            mlflow: Any = vars(self._context)["mlflow"]  # Where kedro-mlflow keeps its configuration.
            mlflow.tracking.disable_tracking.pipelines = names
            catalog[ASKED] = list(self._runs(run_params, pipeline, names))

    def _runs(self, run_params: Mapping[str, Any], pipeline: Pipeline, names: list[str]) -> Iterator[PairRun]:
        loader, nodes = self._context.config_loader, _nodes_by_pair(pipeline)
        networks = _train_networks(loader["parameters"])
        for pair in pairs_of(pipeline):
            yield PairRun(
                pair=pair.name,
                pipelines=own_pipelines(names, pair.name),
                project=run_params["project_path"],
                env=run_params["env"],
                conf_source=str(loader.conf_source),
                parameters=loader.runtime_params,
                nodes=nodes[pair.name] if is_narrowed(run_params) else None,
                load_versions=_of_pair(run_params["load_versions"], pair.name),
                only_missing=run_params["only_missing_outputs"],
                exchange_weight=loader["parameters"]["exchange_weight"],
                networks=networks,
            )


def _nodes_by_pair(pipeline: Pipeline) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for node in pipeline.nodes:
        pair = node.name.partition(".")[0]
        found[pair] = (*found.get(pair, ()), node.name)
    return found


def _of_pair(versions: Mapping[str, str] | None, pair: str) -> dict[str, str] | None:
    return {name: version for name, version in (versions or {}).items() if name.startswith(f"{pair}.")} or None


def _train_networks(parameters: Mapping[str, Any]) -> bool:
    training = TrainingParameters.model_validate(parameters["training"])
    return any(training.architecture(name).trains_network for name in requested(parameters["architectures"]))
