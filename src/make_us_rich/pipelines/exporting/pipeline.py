"""The exporting pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.exporting.nodes import (
    calibrate_champion,
    promote,
    publish_artifacts,
    select_retained_versions,
    write_manifest,
)


def create_pipeline() -> Pipeline:
    """The candidate to a published version; each node waits for what the one before it has stored."""
    artifacts = ["onnx_model", "baseline_onnx", "past_forecasts", "scenario_ranks"]
    candidates = ["candidate_onnx", "candidate_baseline_onnx", "candidate_past_forecasts", "candidate_scenario_ranks"]
    return Pipeline(
        [
            Node(
                publish_artifacts,
                ["candidate", *candidates, "scalers"],
                ["scaler", *artifacts, "checksums"],
                name="publish_artifacts",
            ),
            Node(
                write_manifest,
                ["candidate", "checksums", *artifacts, "run"],
                "manifest",
                name="write_manifest",
            ),
            Node(promote, ["manifest", "stored_champion", "run"], "champion", name="promote"),
            Node(
                calibrate_champion,
                ["champion", "served_model", "klines", "params:calibration"],
                "conformal_scales",
                name="calibrate_champion",
            ),
            Node(
                select_retained_versions,
                ["stored_versions", "champion", "params:exporting", "run"],
                "retained_versions",
                name="select_retained_versions",
            ),
        ],
        tags=["exporting"],
    )
