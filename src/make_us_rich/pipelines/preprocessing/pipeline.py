"""The preprocessing pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.preprocessing.nodes import compute_features, fit_scalers, split_klines


def create_pipeline() -> Pipeline:
    """Klines to features, split and scalers."""
    return Pipeline(
        [
            Node(
                compute_features,
                ["klines", "params:history_days", "params:architectures", "params:training"],
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
                [
                    "features",
                    "split",
                    "params:architectures",
                    "params:training",
                    "params:preprocessing",
                    "run",
                ],
                "scalers",
                name="fit_scalers",
            ),
        ],
        tags=["preprocessing"],
    )
