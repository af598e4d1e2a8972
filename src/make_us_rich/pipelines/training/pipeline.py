"""The training pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.training.nodes import (
    collect_history,
    fit_challengers,
    log_losses,
    plot_training_curve,
    run_backtest,
)


def create_pipeline() -> Pipeline:
    """Features, split and scalers to fitted challengers, their training curves, and the backtest."""
    to_fit = ["features", "klines", "split", "scalers", "candidates", "params:training", "run"]
    to_test = ["features", "klines", "scalers", "candidates", "params:training", "params:backtest", "run"]
    curve = ["training_history", "data_report"]
    nodes = [
        Node(fit_challengers, to_fit, "challengers", name="fit_challengers"),
        Node(run_backtest, to_test, "backtest", name="run_backtest"),
        Node(collect_history, "challengers", "training_history", name="collect_history"),
        Node(log_losses, "training_history", "training_losses", name="log_losses"),
        Node(plot_training_curve, curve, "training_curve", name="plot_training_curve"),
    ]
    return Pipeline(nodes, tags=["training"])
