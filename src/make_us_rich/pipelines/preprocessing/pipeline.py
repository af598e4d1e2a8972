"""The preprocessing pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.preprocessing.nodes import compute_features, fit_scalers, select_candidates, split_klines


def create_pipeline() -> Pipeline:
    """Klines to candidates, features, split and scalers."""
    klines = ["klines", "params:history_days"]
    configured = ["params:architectures", "params:training", "params:backtest"]
    to_scale = ["features", "split", "candidates", "data_report", "params:backtest", "run"]
    stored = ["stored_best_params", "served_model"]
    nodes = [
        Node(select_candidates, [*klines, *configured, *stored], "candidates", name="select_candidates"),
        Node(compute_features, [*klines, "candidates"], "features", name="compute_features"),
        Node(split_klines, [*klines, "candidates", "params:backtest"], "split", name="split_klines"),
        Node(fit_scalers, to_scale, "scalers", name="fit_scalers"),
    ]
    return Pipeline(nodes, tags=["preprocessing"])
