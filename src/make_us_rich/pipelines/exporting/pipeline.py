"""The exporting pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.exporting.nodes import (
    calibrate_champion,
    choose_kept,
    promote,
    publish_artifacts,
    write_manifest,
)


def create_pipeline() -> Pipeline:
    """The candidate to a published version; each node waits for what the one before it has stored."""
    return Pipeline(
        [
            Node(
                publish_artifacts,
                ["candidate", "candidate_onnx", "candidate_baseline_onnx", "scalers"],
                ["scaler", "onnx_model", "baseline_onnx", "checksums"],
                name="publish_artifacts",
            ),
            Node(
                write_manifest,
                ["candidate", "checksums", "onnx_model", "baseline_onnx", "run"],
                "manifest",
                name="write_manifest",
            ),
            Node(promote, ["manifest", "stored_champion", "run"], "champion", name="promote"),
            Node(
                calibrate_champion,
                ["champion", "newly_served_model", "klines", "params:calibration"],
                "widths",
                name="calibrate_champion",
            ),
            Node(
                choose_kept,
                ["stored_versions", "champion", "params:exporting", "run"],
                "kept_versions",
                name="choose_kept",
            ),
        ],
        tags=["exporting"],
    )
