"""The pipelines of every pair: ``btc_usdt``, ``tune_btc_usdt``, ``monitor_btc_usdt``, and ``all`` of each kind."""

from collections.abc import Callable, Mapping

from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

from make_us_rich.domain.pair import Pair
from make_us_rich.pipelines.converting.pipeline import create_pipeline as converting
from make_us_rich.pipelines.evaluating.pipeline import create_pipeline as evaluating
from make_us_rich.pipelines.exporting.pipeline import create_pipeline as exporting
from make_us_rich.pipelines.fetching.pipeline import create_pipeline as fetching
from make_us_rich.pipelines.monitoring.pipeline import create_pipeline as monitoring
from make_us_rich.pipelines.preprocessing.pipeline import create_pipeline as preprocessing
from make_us_rich.pipelines.training.pipeline import create_pipeline as training
from make_us_rich.pipelines.tuning.pipeline import create_pipeline as tuning
from make_us_rich.project_parameters import configured_pairs

Stages = Mapping[str, Callable[[], Pipeline]]

STAGES: Stages = {
    "fetching": fetching,
    "preprocessing": preprocessing,
    "training": training,
    "evaluating": evaluating,
    "converting": converting,
    "exporting": exporting,
}
TUNE: Stages = {"fetching": fetching, "preprocessing": preprocessing, "tuning": tuning}
MONITOR: Stages = {"fetching": fetching, "monitoring": monitoring}

KINDS: dict[str, Stages] = {"": STAGES, "tune_": TUNE, "monitor_": MONITOR}
"""Prefix of a pipeline's name, before the pair's, and its stages."""


def register_pipelines() -> dict[str, Pipeline]:
    """One pipeline for each kind and pair, and one of all pairs; of hundreds, only those that a run asks for."""
    requested = pipelines._requested_pipelines  # As Kedro's find_pipelines does.
    wanted = None if requested is None else {"all" if name == "__default__" else name for name in requested}
    registered: dict[str, Pipeline] = {}
    for prefix, stages in KINDS.items():
        flow = create_flow(stages)
        of_all = wanted is None or f"{prefix}all" in wanted
        chosen = [pair for pair in configured_pairs() if of_all or f"{prefix}{pair.name}" in (wanted or ())]
        own = {f"{prefix}{pair.name}": for_pair(flow, pair) for pair in chosen}
        registered |= own
        if of_all:
            # The pairs share nothing; a sum of the pipelines would sort the nodes once for each.
            registered[f"{prefix}all"] = Pipeline([node for each in own.values() for node in each.nodes])
    return registered | ({"__default__": registered["all"]} if "all" in registered else {})


def create_flow(stages: Stages = STAGES) -> Pipeline:
    """The stages in a row: each is a namespace, and they meet in the datasets of the pair."""
    return sum(
        (Pipeline(stage(), namespace=name, prefix_datasets_with_namespace=False) for name, stage in stages.items()),
        Pipeline([]),
    )


def for_pair(flow: Pipeline, pair: Pair) -> Pipeline:
    """The flow with datasets of the pair's own; all pairs share the parameters."""
    parameters = {name for name in flow.inputs() if name.startswith("params:")}
    return Pipeline(flow, namespace=pair.name, parameters=parameters)
