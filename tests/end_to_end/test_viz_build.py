"""``kedro viz build``, without a network: the flow, its layers and its previews as files."""

import json
from typing import Any

from end_to_end.project import Project

STAGES = ("fetching", "preprocessing", "training", "evaluating", "converting", "exporting")
LAYERS = ["raw", "intermediate", "feature", "model_input", "models", "evaluation", "published", "reporting"]


def preview(project: Project, graph: dict[str, Any], name: str) -> tuple[str, Any]:
    """The kind and the content of a dataset's preview."""
    (node,) = [node for node in graph["nodes"] if node["name"] == name and node["type"] == "data"]
    record = json.loads((project.folder / "build" / "api" / "nodes" / node["id"]).read_text())
    return record["preview_type"], record["preview"]


def test_the_pages_have_every_layer_pipeline_and_stage_and_previews_of_what_is_stored(project: Project) -> None:
    command = project.start("viz", "build", "--include-previews").ok()
    assert "ircular dependency" not in command.errors
    graph = json.loads((project.folder / "build" / "api" / "main").read_text())
    assert graph["layers"] == LAYERS
    pairs = {"btc_usdt", "eth_usdt", "chz_usdt"}
    others = {f"{kind}_{pair}" for kind in ("tune", "monitor") for pair in (*pairs, "all")}
    assert {pipeline["id"] for pipeline in graph["pipelines"]} == {*pairs, *others, "all", "__default__"}
    boxes = {node["name"] for node in graph["nodes"] if node["type"] == "modularPipeline"}
    assert {f"btc_usdt.{stage}" for stage in STAGES} <= boxes

    kind, candles = preview(project, graph, "btc_usdt.klines")
    assert kind == "TablePreview"
    assert candles["columns"][:5] == ["timestamp", "open", "high", "low", "close"]
    kind, metrics = preview(project, graph, "btc_usdt.metrics")
    assert kind == "JSONPreview"
    assert "baseline_rmse_1h" in str(metrics)
    kind, curve = preview(project, graph, "btc_usdt.training_curve")
    assert kind == "PlotlyPreview"
    assert len(curve["data"][0]["y"]) == 8
