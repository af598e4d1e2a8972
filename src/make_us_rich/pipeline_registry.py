"""The flow, once, for every pair as a namespace."""

from collections.abc import Callable, Mapping

from kedro.pipeline import Pipeline

from make_us_rich import pairs
from make_us_rich.domain.pair import Pair
from make_us_rich.pipelines.converting.pipeline import create_pipeline as converting
from make_us_rich.pipelines.evaluating.pipeline import create_pipeline as evaluating
from make_us_rich.pipelines.exporting.pipeline import create_pipeline as exporting
from make_us_rich.pipelines.fetching.pipeline import create_pipeline as fetching
from make_us_rich.pipelines.monitoring.pipeline import create_pipeline as monitoring
from make_us_rich.pipelines.preprocessing.pipeline import create_pipeline as preprocessing
from make_us_rich.pipelines.searching.pipeline import create_pipeline as searching
from make_us_rich.pipelines.training.pipeline import create_pipeline as training

STAGES = {
    "fetching": fetching,
    "preprocessing": preprocessing,
    "training": training,
    "evaluating": evaluating,
    "converting": converting,
    "exporting": exporting,
}
SEARCH = {"fetching": fetching, "preprocessing": preprocessing, "searching": searching}
"""A pipeline of its own, that only runs when it is asked for: ``search_btc_usdt``."""

MONITOR = {"fetching": fetching, "monitoring": monitoring}
"""A pipeline of its own for every hour: ``monitor_btc_usdt``."""

KINDS = {"": STAGES, "search_": SEARCH, "monitor_": MONITOR}
"""What a pipeline's name begins with, before the pair's, to its stages."""


def create_flow(stages: Mapping[str, Callable[[], Pipeline]] = STAGES) -> Pipeline:
    """Stages in a row; each is a namespace of nodes, and they meet in the datasets of the pair."""
    return sum(
        (Pipeline(stage(), namespace=name, prefix_datasets_with_namespace=False) for name, stage in stages.items()),
        Pipeline([]),
    )


def for_pair(flow: Pipeline, pair: Pair) -> Pipeline:
    """The flow with every dataset of the pair's own; parameters are shared by all pairs."""
    parameters = {name for name in flow.inputs() if name.startswith("params:")}
    return Pipeline(flow, namespace=pair.name, parameters=parameters)


def register_pipelines() -> dict[str, Pipeline]:
    """For each pair one that makes its model, one that searches and one that monitors; all of the first by default."""
    flows = {prefix: create_flow(stages) for prefix, stages in KINDS.items()}
    pipelines = {
        f"{prefix}{pair.name}": for_pair(flow, pair) for prefix, flow in flows.items() for pair in pairs.configured()
    }
    return {**pipelines, "__default__": sum((pipelines[pair.name] for pair in pairs.configured()), Pipeline([]))}
