"""The flow, once, for every pair as a namespace."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any

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

MONITOR = {"fetching": fetching, "monitoring": monitoring}
"""A pipeline of its own for every hour: ``monitor_btc_usdt``."""

KINDS = {"": STAGES, "search_": SEARCH, "monitor_": MONITOR}
"""What a pipeline's name begins with, before the pair's, to its stages."""


class LazyPipeline(Pipeline):
    """A pipeline that is made when it is first looked at: of the hundreds that are registered, a run looks at one."""

    def __init__(self, make: Callable[[], Pipeline]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        """Become the pipeline, of which nothing is there yet."""
        make = self.__dict__.pop("_make", None)
        if make is None:
            raise AttributeError(name)
        self.__dict__.update(vars(make()))
        return getattr(self, name)


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


def join(pipelines: Iterable[Pipeline]) -> Pipeline:
    """Pipelines that share nothing as one, in one step: a sum of hundreds would sort its nodes hundreds of times."""
    return Pipeline([node for pipeline in pipelines for node in pipeline.nodes])


def register_pipelines() -> dict[str, Pipeline]:
    """A pipeline a flow and pair, and one of all pairs: ``btc_usdt``, ``search_btc_usdt``, ``all``, ``search_all``."""
    registered: dict[str, Pipeline] = {}
    for prefix, stages in KINDS.items():
        flow = cache(partial(create_flow, stages))
        own = {f"{prefix}{pair.name}": LazyPipeline(_maker(flow, pair)) for pair in pairs.configured()}
        registered |= own | {f"{prefix}all": LazyPipeline(partial(join, own.values()))}
    return {**registered, "__default__": registered["all"]}


def _maker(flow: Callable[[], Pipeline], pair: Pair) -> Callable[[], Pipeline]:
    return lambda: for_pair(flow(), pair)
