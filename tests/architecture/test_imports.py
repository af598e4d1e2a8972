"""Who imports whom, and what is loaded when."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from make_us_rich.pipeline_registry import MONITOR, SEARCH, STAGES
from synthetic import VERSION, lay_out, simulated_klines, store

REPO = Path(__file__).resolve().parents[2]
SRC = REPO / "src"
PACKAGE = "make_us_rich"
IMPURE_ROOMS = {"catalog", "datasets", "exchange", "storage", "locks", "champions", "hooks", "replay"}
IMPURE_PACKAGES = {"fsspec", "s3fs", "requests", "aiohttp", "urllib3", "binance", "sqlalchemy", "mlflow"}
TRAINING_ONLY = {"torch", "pytorch_lightning", "mlflow", "kedro_mlflow", "sklearn", "onnx", "onnxscript", "optuna"}
HEAVY = TRAINING_ONLY | {"onnxruntime", "binance", "plotly", "s3fs"}


@cache
def imports_of(module: str) -> frozenset[str]:
    """Every module that a module of ours imports anywhere, in functions too."""
    path = SRC / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(file.read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{module}: a relative import"
            found |= {_target(node.module, alias.name) for alias in node.names}
    return frozenset(found)


def _target(module: str, name: str) -> str:
    """The submodule, where it is one that is imported from a package of ours."""
    path = SRC / module.replace(".", "/") / name
    return f"{module}.{name}" if path.is_dir() or path.with_suffix(".py").exists() else module


def reached_from(module: str) -> dict[str, str]:
    """All modules that a module leads to through our own, each with the one of ours that imports it."""
    reached = {module: ""}
    waiting = [module]
    while waiting:
        importer = waiting.pop()
        for imported in sorted(imports_of(importer) - reached.keys()):
            reached[imported] = importer
            if imported.split(".")[0] == PACKAGE:
                waiting.append(imported)
    return reached


def _room(module: str) -> str:
    return module.removeprefix(f"{PACKAGE}.").split(".")[0]


def loaded_after(code: str, *arguments: str) -> set[str]:
    """Top-level modules in a fresh process."""
    program = f"import sys\n{code}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120, cwd=REPO, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("stage", {**STAGES, **SEARCH, **MONITOR})
def test_nodes_lead_to_no_store_and_no_network(stage: str) -> None:
    reached = reached_from(f"{PACKAGE}.pipelines.{stage}.nodes")

    rooms = {name: by for name, by in reached.items() if name.split(".")[0] == PACKAGE}
    ours = {f"{by} imports {name}" for name, by in rooms.items() if _room(name) in IMPURE_ROOMS}
    others = {f"{by} imports {name}" for name, by in reached.items() if name.split(".")[0] in IMPURE_PACKAGES}
    assert ours | others == set()


@pytest.mark.parametrize("stage", {**STAGES, **SEARCH, **MONITOR})
def test_a_stage_leads_to_no_other_stage(stage: str) -> None:
    reached = reached_from(f"{PACKAGE}.pipelines.{stage}.pipeline")

    stages = {name.split(".")[2] for name in reached if name.startswith(f"{PACKAGE}.pipelines.")}
    assert stages == {stage}


def test_the_walk_follows_imports_through_our_own_modules() -> None:
    reached = reached_from(f"{PACKAGE}.pipelines.training.nodes")

    # training.nodes → models.registry → models.lstm_levels → models.levels_network, within a function → torch
    assert reached["torch"].startswith(f"{PACKAGE}.models.")


def test_registry_settings_and_hooks_load_nothing_heavy() -> None:
    loaded = loaded_after("import make_us_rich.pipeline_registry, make_us_rich.settings, make_us_rich.hooks")

    assert loaded & HEAVY == set()


def test_registering_the_pipelines_loads_nothing_heavy() -> None:
    loaded = loaded_after("from make_us_rich.pipeline_registry import register_pipelines; assert register_pipelines()")

    assert loaded & HEAVY == set()


def test_datasets_and_replay_load_nothing_heavy() -> None:
    loaded = loaded_after(
        "import make_us_rich.replay, make_us_rich.datasets.onnx, make_us_rich.datasets.figure,"
        " make_us_rich.datasets.exchange_klines, make_us_rich.datasets.stored_klines"
    )

    assert loaded & HEAVY == set()


SERVING = """
import pandas as pd
from pathlib import Path
from make_us_rich.catalog import load_champion, open_catalog
catalog = open_catalog("base", sys.argv[1])
klines = pd.read_parquet(Path(sys.argv[1]) / "klines.parquet")
forecast = load_champion(catalog, "btc_usdt").forecast(klines)
assert len(forecast.quantiles) == 24
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one published model."""
    store(lay_out(tmp_path), VERSION)
    simulated_klines().to_parquet(tmp_path / "klines.parquet")
    return tmp_path


def test_serving_a_champion_loads_no_training_framework(project: Path) -> None:
    loaded = loaded_after(SERVING, str(project))

    assert loaded & TRAINING_ONLY == set()
    assert "onnxruntime" in loaded
