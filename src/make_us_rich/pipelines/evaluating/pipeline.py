"""The evaluating pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.evaluating.nodes import (
    choose_candidate,
    draw_errors,
    record_metrics,
    score_challengers,
    tell_metrics,
)


def create_pipeline() -> Pipeline:
    """Challengers to scores beside the baseline's, and the choice of the candidate."""
    return Pipeline(
        [
            Node(
                score_challengers,
                ["features", "klines", "split", "challengers"],
                "scores",
                name="score_challengers",
            ),
            Node(choose_candidate, ["scores", "params:architectures", "run"], "choice", name="choose_candidate"),
            Node(tell_metrics, ["scores", "choice"], "metrics", name="tell_metrics"),
            Node(record_metrics, "metrics", "run_metrics", name="record_metrics"),
            Node(draw_errors, "scores", "error_figure", name="draw_errors"),
        ],
        tags=["evaluating"],
    )
