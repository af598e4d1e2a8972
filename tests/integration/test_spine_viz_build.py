"""``kedro viz build``, without a network: the flow, its layers and its previews as files."""

import json
from typing import Any

import pytest

STAGES = ("fetching", "preprocessing", "training", "evaluating", "converting", "exporting")
LAYERS = ["raw", "intermediate", "feature", "model_input", "models", "evaluation", "published", "reporting"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, trained: Any) -> tuple[Any, dict[str, Any]]:
    """A project with the built pages, and the graph in them."""
    project = trained.copy(tmp_path_factory.mktemp("viz") / "project")
    command = project.start("viz", "build", "--include-previews").ok()
    assert "ircular dependency" not in command.errors
    return project, json.loads((project.folder / "build" / "api" / "main").read_text())


def preview(built: tuple[Any, dict[str, Any]], name: str) -> tuple[str, Any]:
    """The kind and the content of a dataset's preview."""
    project, graph = built
    (node,) = [node for node in graph["nodes"] if node["name"] == name and node["type"] == "data"]
    record = json.loads((project.folder / "build" / "api" / "nodes" / node["id"]).read_text())
    return record["preview_type"], record["preview"]


def test_the_pages_have_every_layer_in_the_order_of_the_flow(built: Any) -> None:
    assert built[1]["layers"] == LAYERS


def test_the_pages_have_a_pipeline_a_pair_and_six_boxes_in_each(built: Any) -> None:
    graph = built[1]
    pairs = {"btc_usdt", "eth_usdt", "chz_usdt"}
    others = {f"{kind}_{pair}" for kind in ("search", "monitor") for pair in (*pairs, "all")}
    assert {pipeline["id"] for pipeline in graph["pipelines"]} == {*pairs, *others, "all", "__default__"}
    boxes = {node["name"] for node in graph["nodes"] if node["type"] == "modularPipeline"}
    assert {f"btc_usdt.{stage}" for stage in STAGES} <= boxes


def test_the_previews_show_candles_metrics_and_the_training_curve(built: Any) -> None:
    kind, candles = preview(built, "btc_usdt.klines")
    assert kind == "TablePreview"
    assert candles["columns"][:5] == ["timestamp", "open", "high", "low", "close"]
    kind, metrics = preview(built, "btc_usdt.metrics")
    assert kind == "JSONPreview"
    assert "baseline_rmse_1h" in str(metrics)
    kind, curve = preview(built, "btc_usdt.training_curve")
    assert kind == "PlotlyPreview"
    assert len(curve["data"][0]["y"]) == 8


def test_the_pages_of_the_demo_are_built_too(project: Any) -> None:
    project.start("viz", "build", "--include-previews", env={"KEDRO_ENV": "demo"}).ok()
    graph = json.loads((project.folder / "build" / "api" / "main").read_text())
    assert graph["layers"] == LAYERS
