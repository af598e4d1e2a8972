"""The exporting pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.exporting import nodes


def create_pipeline() -> Pipeline:
    """The candidate to a published version; each node waits for what the one before it has stored."""
    artifacts = ["onnx_model", "baseline_onnx", "past_forecasts", "scenario_ranks"]
    candidates = ["candidate_onnx", "candidate_baseline_onnx", "candidate_past_forecasts", "candidate_scenario_ranks"]
    stored, champion = ["scaler", *artifacts, "checksums"], ["champion", "served_model", "klines", "params:calibration"]
    versions = ["stored_versions", "champion", "params:exporting", "run"]
    steps = [
        Node(nodes.publish_artifacts, ["candidate", *candidates, "scalers"], stored, name="publish_artifacts"),
        Node(nodes.write_manifest, ["candidate", "checksums", *artifacts, "run"], "manifest", name="write_manifest"),
        Node(nodes.promote, ["manifest", "stored_champion", "run"], "champion", name="promote"),
        Node(nodes.calibrate_champion, champion, "conformal_scales", name="calibrate_champion"),
        Node(nodes.select_retained_versions, versions, "retained_versions", name="select_retained_versions"),
    ]
    return Pipeline(steps, tags=["exporting"])
