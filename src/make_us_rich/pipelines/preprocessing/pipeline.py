"""The preprocessing pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.preprocessing.nodes import compute_features, fit_scalers, line_up, split_klines


def create_pipeline() -> Pipeline:
    """Klines to line-up, features, split and scalers."""
    return Pipeline(
        [
            Node(
                line_up,
                ["params:architectures", "params:training", "stored_tuned", "served_model"],
                "lineup",
                name="line_up",
            ),
            Node(
                compute_features,
                ["klines", "params:history_days", "lineup"],
                "features",
                name="compute_features",
            ),
            Node(
                split_klines,
                ["klines", "params:history_days", "params:preprocessing", "run"],
                "split",
                name="split_klines",
            ),
            Node(
                fit_scalers,
                ["features", "split", "lineup", "params:preprocessing", "run"],
                "scalers",
                name="fit_scalers",
            ),
        ],
        tags=["preprocessing"],
    )
