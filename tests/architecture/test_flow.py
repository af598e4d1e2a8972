"""Policy that every pipeline, catalog entry and environment keeps; and what is loaded when."""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from fresh_process import TRAINS, found, loaded_after
from make_us_rich.catalog import in_project, open_config
from make_us_rich.pipeline_registry import MONITOR, STAGES, TUNE, create_flow, register_pipelines
from make_us_rich.project_parameters import configure_pairs
from synthetic import REPO, VERSION, configured_parameters, lay_out, simulated_klines, store

NAMES = ["btc_usdt", "eth_usdt"]
LAYERS = {"raw", "intermediate", "feature", "model_input", "models", "evaluation", "published", "reporting"}
IN_MEMORY = {
    "run",
    "baseline_reads",
    "calibration_effect",
    "checksums",
    "chosen",
    "chosen_baseline",
    "comparisons",
    "demotion",
    "issued",
    "live_windows",
    "served_windows",
    "new_trials",
    "parity_windows",
    "champion_status",
}
"""Datasets that live for a run only."""


@pytest.fixture(scope="module")
def pipelines() -> Iterator[dict[str, Pipeline]]:
    configure_pairs(NAMES)
    yield register_pipelines()
    configure_pairs(configured_parameters()["pairs"])


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    with in_project(REPO):
        loader = open_config("base", REPO)
        return {name: loader[name] for name in ("catalog", "credentials", "parameters")}


@pytest.fixture(scope="module")
def entries(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name.removeprefix("{pair}."): entry for name, entry in config["catalog"].items()}


@pytest.fixture(scope="module")
def datasets(pipelines: dict[str, Pipeline]) -> set[str]:
    used = set().union(*(pipelines[f"{kind}btc_usdt"].datasets() for kind in ("", "tune_", "monitor_")))
    return {name for name in used if not name.startswith("params:")}


def all_nodes() -> list[Node]:
    # Making a model and demoting one both write the champion pointer.
    return [*create_flow({**STAGES, **TUNE}).nodes, *create_flow({"monitoring": MONITOR["monitoring"]}).nodes]


def plain(name: str) -> str:
    return name.split(".", 1)[1]


def test_there_is_a_pipeline_for_every_kind_and_pair_and_one_of_all_pairs(pipelines: dict[str, Pipeline]) -> None:
    assert list(pipelines) == [
        *(f"{kind}{pair}" for kind in ("", "tune_", "monitor_") for pair in (*NAMES, "all")),
        "__default__",
    ]
    assert len(pipelines["__default__"].nodes) == len(NAMES) * len(pipelines["btc_usdt"].nodes)
    assert list(STAGES) == ["fetching", "preprocessing", "training", "evaluating", "converting", "exporting"]


def test_no_stage_needs_what_a_later_one_makes() -> None:
    made_later: set[str] = set()
    for stage in reversed(list(STAGES)):
        assert not STAGES[stage]().inputs() & made_later, stage
        made_later |= STAGES[stage]().outputs() | STAGES[stage]().datasets() - STAGES[stage]().inputs()


def test_no_dataset_is_shared_by_two_pairs(pipelines: dict[str, Pipeline]) -> None:
    names = [{name for name in pipelines[pair].datasets() if not name.startswith("params:")} for pair in NAMES]

    assert not set.intersection(*names)
    assert all(name.startswith("btc_usdt.") for name in names[0])


def test_every_dataset_that_outlives_its_run_is_in_the_catalog_and_every_entry_is_used(
    datasets: set[str], config: dict[str, Any], entries: dict[str, Any]
) -> None:
    catalog = DataCatalog.from_config(config["catalog"], config["credentials"])
    assert {plain(name) for name in datasets if name not in catalog} == IN_MEMORY
    assert entries.keys() - {plain(name) for name in datasets} == {"onnx_session"}, "which is for notebooks"


def test_every_entry_serves_every_pair_has_a_layer_and_lies_in_the_pairs_folder(
    config: dict[str, Any], entries: dict[str, Any]
) -> None:
    assert all(re.fullmatch(r"\{pair\}\.[a-z_]+", entry) for entry in config["catalog"])
    assert {value["metadata"]["kedro-viz"]["layer"] for value in entries.values()} <= LAYERS
    for entry, value in entries.items():
        if file := value.get("filepath") or value.get("path"):
            assert re.match(r"data/0\d_[a-z_]+/\{pair\}(/|$)", file), entry
            assert value.get("credentials") == "storage", entry


def test_what_is_published_is_versioned(entries: dict[str, Any]) -> None:
    versioned = {entry for entry, value in entries.items() if value.get("versioned")}

    artifacts = {"onnx_model", "baseline_onnx", "past_forecasts", "scenario_ranks"}
    assert versioned == artifacts | {"scaler", "manifest", "card", "card_text", "onnx_session"}


def test_every_parameter_that_is_configured_is_taken(pipelines: dict[str, Pipeline], config: dict[str, Any]) -> None:
    inputs = set().union(*(pipelines[name].inputs() for name in ("__default__", "tune_btc_usdt", "monitor_btc_usdt")))
    taken = {name.removeprefix("params:") for name in inputs if name.startswith("params:")}

    # These are taken before there are nodes, by the runner, by the scheduler, or by the checks.
    others = {"pairs", "exchange_url", "exchange_weight", "running", "scheduler", "alerts"}
    assert config["parameters"].keys() == taken | others


@pytest.mark.parametrize("node", all_nodes(), ids=lambda node: node.name)
def test_every_node_is_a_short_function_of_its_name_with_docstring_and_type_hints(node: Node) -> None:
    docstring = inspect.getdoc(node.func) or ""
    source = inspect.getsource(node.func)
    signature = source[: source.index('"""')]

    assert node.name.split(".")[-1] == node.func.__name__
    assert docstring.splitlines()[0].endswith((".", ":"))
    hints = get_type_hints(node.func, vars(sys.modules[node.func.__module__]))
    assert hints.keys() == {*inspect.signature(node.func).parameters, "return"}
    assert len(source.splitlines()) - len((node.func.__doc__ or "").splitlines()) - len(signature.splitlines()) <= 25


CONF = Path(__file__).resolve().parents[2] / "conf"
ENVIRONMENTS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name not in ("base", "local"))
BASE = sorted((CONF / "base").glob("*.yml"))
SECRET = re.compile(r"(key|secret|password|token)\b\s*:\s*[^\s#]", re.IGNORECASE)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_overrides_only_globals_credentials_and_mlflow_and_takes_secrets_from_variables(
    environment: str,
) -> None:
    files = {path.name for path in (CONF / environment).rglob("*") if path.is_file()}

    # The last one is a demo's own, and git ignores it.
    assert files <= {"globals.yml", "credentials.yml", "mlflow.yml", "parameters_pairs.yml"}
    for file in (CONF / environment).glob("*.yml"):
        for line in filter(SECRET.search, file.read_text().splitlines()):
            assert "${oc.env:" in line, f"{file.name}: {line}"


@pytest.mark.parametrize("file", BASE, ids=lambda path: path.name)
def test_base_holds_no_secret_and_reads_no_variable_of_the_environment(file: Path) -> None:
    assert "oc.env" not in file.read_text()
    assert not SECRET.search(file.read_text())


def test_base_names_no_server_but_the_public_exchange() -> None:
    addresses = {
        address for file in BASE for address in re.findall(r"(?:https?|s3|postgresql)://[^\s\"']*", file.read_text())
    }

    assert addresses == {"https://api.binance.com"}


def test_a_developers_own_configuration_is_not_committed() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "conf/local"], cwd=CONF.parent, capture_output=True, text=True, check=False
    )

    assert listed.stdout.split() in (["conf/local/.gitkeep"], [])


LAZY = (TRAINS - {"kedro.framework", "kedro.runner"}) | {"onnxruntime", "binance", "plotly", "s3fs"}


@pytest.mark.parametrize(
    "code",
    [
        "import make_us_rich.settings, make_us_rich.hooks\n"
        "from make_us_rich.pipeline_registry import register_pipelines; assert register_pipelines()",
        "import make_us_rich.replay, make_us_rich.datasets.files, make_us_rich.datasets.published,"
        " make_us_rich.datasets.exchange_klines",
    ],
    ids=["pipelines", "datasets"],
)
def test_pipelines_and_datasets_load_nothing_heavy(code: str, tmp_path: Path) -> None:
    assert found(LAZY, loaded_after(code, lay_out(tmp_path))) == set()


FORECAST = """
import pandas as pd
from make_us_rich.repository import ModelRepository
model = ModelRepository.open("base").model("btc_usdt")
assert len(model.forecast(pd.read_parquet("klines.parquet")).quantiles) == 24
"""


def test_forecasting_with_a_champion_loads_no_training_framework(tmp_path: Path) -> None:
    store(lay_out(tmp_path), VERSION)
    simulated_klines().to_parquet(tmp_path / "klines.parquet")
    loaded = loaded_after(FORECAST, tmp_path)

    assert found(TRAINS | {"plotly"}, loaded) == set()
    assert "onnxruntime" in loaded
