"""The converting pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.converting.nodes import (
    check_parity,
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
                "candidate",
                name="describe_candidate",
            ),
        ],
        tags=["converting"],
    )
