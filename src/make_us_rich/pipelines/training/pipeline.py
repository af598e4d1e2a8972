"""The training pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.training.nodes import (
    draw_training_curve,
    fit_challengers,
    tell_history,
    trace_losses,
    walk_forward,
)


def create_pipeline() -> Pipeline:
    """Features, split and scalers to fitted challengers, their curves, and the past re-lived."""
    return Pipeline(
        [
            Node(
                fit_challengers,
                ["features", "klines", "split", "scalers", "lineup", "params:training", "run"],
                "challengers",
                name="fit_challengers",
            ),
            Node(
                walk_forward,
                ["features", "klines", "scalers", "lineup", "params:training", "params:walk_forward", "run"],
                "walk",
                name="walk_forward",
            ),
            Node(tell_history, "challengers", "training_history", name="tell_history"),
            Node(trace_losses, "training_history", "training_losses", name="trace_losses"),
            Node(draw_training_curve, "training_history", "training_curve", name="draw_training_curve"),
        ],
        tags=["training"],
    )
