"""The converting pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.converting.nodes import (
    add_baseline,
    check_parity,
    convert_baseline,
    convert_model,
    describe_candidate,
    draw_windows,
    pick_challenger,
)


def create_pipeline() -> Pipeline:
    """The chosen challenger to a checked ONNX graph and its description."""
    return Pipeline(
        [
            Node(pick_challenger, ["challengers", "choice"], "chosen", name="pick_challenger"),
            Node(
                draw_windows,
                ["features", "klines", "split", "chosen", "params:converting"],
                "parity_windows",
                name="draw_windows",
            ),
            Node(
                convert_model,
                ["chosen", "choice", "parity_windows", "run"],
                "candidate_onnx",
                name="convert_model",
            ),
            Node(
                check_parity,
                ["candidate_onnx", "chosen", "choice", "parity_windows", "params:converting", "run"],
                "parity",
                name="check_parity",
            ),
            Node(
                describe_candidate,
                {
                    "onnx_model": "candidate_onnx",
                    "parity": "parity",
                    "scalers": "scalers",
                    "klines": "klines",
                    "split": "split",
                    "metrics": "metrics",
                    "judgement": "judgement",
                    "chosen": "chosen",
                    "windows": "parity_windows",
                    "run": "run",
                },
                "described",
                name="describe_candidate",
            ),
            Node(
                convert_baseline,
                ["challengers", "features", "klines", "split", "params:converting", "run"],
                ["candidate_baseline_onnx", "baseline_reads"],
                name="convert_baseline",
            ),
            Node(
                add_baseline,
                ["described", "candidate_baseline_onnx", "baseline_reads"],
                "candidate",
                name="add_baseline",
            ),
        ],
        tags=["converting"],
    )
