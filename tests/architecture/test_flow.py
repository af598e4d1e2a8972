"""Policy that every pipeline and every catalog entry keeps."""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from make_us_rich import pairs
from make_us_rich.config import CONFIG_LOADER_ARGS, in_project
from make_us_rich.pipeline_registry import MONITOR, SEARCH, STAGES, create_flow, register_pipelines

REPO = Path(__file__).resolve().parents[2]
CONF = REPO / "conf"
NAMES = ["btc_usdt", "eth_usdt"]
LAYERS = {"raw", "intermediate", "feature", "model_input", "models", "evaluation", "published", "reporting"}
IN_MEMORY = {
    "run",
    "baseline_reads",
    "checksums",
    "chosen",
    "demotion",
    "described",
    "issued",
    "live_windows",
    "new_trials",
    "parity_windows",
    "served_walk",
    "standing",
    "tried",
}
"""Datasets that live for a run only."""
OF_NO_PIPELINE = {"runs"}
"""Datasets of the hourly job."""


@pytest.fixture(scope="module")
def pipelines() -> Iterator[dict[str, Pipeline]]:
    pairs.configure(NAMES)
    yield register_pipelines()
    pairs.configure(yaml.safe_load((CONF / "base/parameters.yml").read_text())["pairs"])


@pytest.fixture(scope="module")
def config() -> OmegaConfigLoader:
    with in_project(REPO):
        return OmegaConfigLoader(str(CONF), env="base", **CONFIG_LOADER_ARGS)


@pytest.fixture(scope="module")
def catalog(config: OmegaConfigLoader) -> DataCatalog:
    with in_project(REPO):
        return DataCatalog.from_config(config["catalog"], config["credentials"])


@pytest.fixture(scope="module")
def entries(config: OmegaConfigLoader) -> dict[str, dict[str, Any]]:
    with in_project(REPO):
        return dict(config["catalog"])


@pytest.fixture(scope="module")
def datasets(pipelines: dict[str, Pipeline]) -> set[str]:
    used = set().union(*(pipelines[f"{kind}btc_usdt"].datasets() for kind in ("", "search_", "monitor_")))
    return {name for name in used if not name.startswith("params:")}


def all_nodes() -> list[Node]:
    # Making a model and demoting one both write the champion pointer.
    return [*create_flow({**STAGES, **SEARCH}).nodes, *create_flow({"monitoring": MONITOR["monitoring"]}).nodes]


def plain(name: str) -> str:
    return name.split(".", 1)[1]


def test_there_is_a_pipeline_for_every_kind_and_pair_and_one_of_all_pairs(pipelines: dict[str, Pipeline]) -> None:
    assert list(pipelines) == [
        *(f"{kind}{pair}" for kind in ("", "search_", "monitor_") for pair in (*NAMES, "all")),
        "__default__",
    ]
    assert len(pipelines["__default__"].nodes) == len(NAMES) * len(pipelines["btc_usdt"].nodes)


def test_the_stages_are_the_specifications_in_order() -> None:
    assert list(STAGES) == ["fetching", "preprocessing", "training", "evaluating", "converting", "exporting"]


def test_nothing_is_searched_unless_it_is_asked_for(pipelines: dict[str, Pipeline]) -> None:
    searching = {node.name for node in pipelines["search_btc_usdt"].filter(tags=["searching"]).nodes}

    assert searching
    assert not searching & {node.name for node in pipelines["__default__"].nodes}


def test_no_stage_needs_what_a_later_one_makes() -> None:
    made_later: set[str] = set()
    for stage in reversed(list(STAGES)):
        assert not STAGES[stage]().inputs() & made_later, stage
        made_later |= STAGES[stage]().outputs() | STAGES[stage]().datasets() - STAGES[stage]().inputs()


def test_every_stage_is_a_namespace_of_the_pairs(pipelines: dict[str, Pipeline]) -> None:
    for pair in NAMES:
        assert {node.namespace for node in pipelines[pair].nodes} == {f"{pair}.{stage}" for stage in STAGES}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_can_be_selected_by_its_namespace(pipelines: dict[str, Pipeline], stage: str) -> None:
    chosen = pipelines["__default__"].filter(node_namespaces=[f"eth_usdt.{stage}"])

    assert {node.name for node in chosen.nodes} == {f"eth_usdt.{stage}.{node.name}" for node in STAGES[stage]().nodes}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_can_be_selected_by_its_tag(pipelines: dict[str, Pipeline], stage: str) -> None:
    chosen = pipelines["btc_usdt"].filter(tags=[stage])

    assert {node.namespace for node in chosen.nodes} == {f"btc_usdt.{stage}"}
    assert len(chosen.nodes) == len(STAGES[stage]().nodes)


def test_no_dataset_is_shared_by_two_pairs(pipelines: dict[str, Pipeline]) -> None:
    names = [{name for name in pipelines[pair].datasets() if not name.startswith("params:")} for pair in NAMES]

    assert not set.intersection(*names)
    assert all(name.startswith("btc_usdt.") for name in names[0])


def test_every_dataset_that_outlives_its_run_is_in_the_catalog(datasets: set[str], catalog: DataCatalog) -> None:
    assert {plain(name) for name in datasets if name not in catalog} == IN_MEMORY


def test_every_free_input_is_in_the_catalog_or_the_run(pipelines: dict[str, Pipeline], catalog: DataCatalog) -> None:
    free = {name for name in pipelines["btc_usdt"].inputs() if not name.startswith("params:")}

    assert {plain(name) for name in free if name not in catalog} == {"run"}


def test_every_catalog_entry_is_used(datasets: set[str], entries: dict[str, Any]) -> None:
    assert {entry.removeprefix("{pair}.") for entry in entries} <= {plain(name) for name in datasets} | OF_NO_PIPELINE


def test_every_catalog_entry_serves_every_pair(entries: dict[str, Any]) -> None:
    assert all(re.fullmatch(r"\{pair\}\.[a-z_]+", entry) for entry in entries)


def test_every_catalog_entry_has_a_layer_in_kedro_viz(entries: dict[str, Any]) -> None:
    layers = {entry: value["metadata"]["kedro-viz"]["layer"] for entry, value in entries.items()}

    assert set(layers.values()) <= LAYERS
    assert layers.keys() == entries.keys()


def test_every_file_lies_below_the_configured_root_in_a_folder_of_its_pair(entries: dict[str, Any]) -> None:
    files = [value.get("filepath") or value.get("path") for value in entries.values()]

    for file in filter(None, files):
        assert re.match(r"data/0\d_[a-z_]+/\{pair\}(/|$)", file), file


def test_every_file_takes_the_stores_credentials(entries: dict[str, Any]) -> None:
    without = [
        entry
        for entry, value in entries.items()
        if ("filepath" in value or "path" in value) and value.get("credentials") != "storage"
    ]

    assert without == []


def test_what_is_published_is_versioned(entries: dict[str, Any]) -> None:
    versioned = {entry.removeprefix("{pair}.") for entry, value in entries.items() if value.get("versioned")}

    assert versioned == {"scaler", "onnx_model", "baseline_onnx", "manifest", "card", "card_text"}


def test_every_parameter_that_a_node_takes_is_configured(
    pipelines: dict[str, Pipeline], config: OmegaConfigLoader
) -> None:
    taken = {name.removeprefix("params:") for name in pipelines["__default__"].inputs() if name.startswith("params:")}

    assert taken <= config["parameters"].keys()


def test_every_parameter_that_is_configured_is_taken(pipelines: dict[str, Pipeline], config: OmegaConfigLoader) -> None:
    inputs = set().union(*(pipelines[name].inputs() for name in ("__default__", "search_btc_usdt", "monitor_btc_usdt")))
    taken = {name.removeprefix("params:") for name in inputs if name.startswith("params:")}

    # These are taken before there are nodes, by the runner, by the job that runs the pipelines, or by the watch.
    others = {"pairs", "exchange_url", "exchange_weight", "running", "hourly", "alerts"}
    assert config["parameters"].keys() - taken == others


@pytest.mark.parametrize("node", all_nodes(), ids=lambda node: node.name)
def test_every_node_has_a_docstring(node: Node) -> None:
    first = (inspect.getdoc(node.func) or "").splitlines()[0]

    assert first.endswith((".", ":"))


@pytest.mark.parametrize("node", all_nodes(), ids=lambda node: node.name)
def test_every_node_has_type_hints(node: Node) -> None:
    hints = get_type_hints(node.func, vars(sys.modules[node.func.__module__]))

    assert hints.keys() == {*inspect.signature(node.func).parameters, "return"}


@pytest.mark.parametrize("node", all_nodes(), ids=lambda node: node.name)
def test_every_node_is_named_after_its_function(node: Node) -> None:
    assert node.name.split(".")[-1] == node.func.__name__


@pytest.mark.parametrize("node", all_nodes(), ids=lambda node: node.name)
def test_every_node_function_is_short(node: Node) -> None:
    source = inspect.getsource(node.func)
    docstring = node.func.__doc__ or ""
    signature = source[: source.index('"""')]

    assert len(source.splitlines()) - len(docstring.splitlines()) - len(signature.splitlines()) <= 25
