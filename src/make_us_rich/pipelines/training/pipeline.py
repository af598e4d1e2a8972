"""The training pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.training import nodes


def create_pipeline() -> Pipeline:
    """Features, split and scalers to fitted challengers, their training curves, and the backtest."""
    to_fit = ["features", "klines", "split", "scalers", "candidates", "params:training", "run"]
    to_test = ["features", "klines", "scalers", "candidates", "params:training", "params:backtest", "run"]
    curve = ["training_history", "data_report"]
    steps = [
        Node(nodes.fit_challengers, to_fit, "challengers", name="fit_challengers"),
        Node(nodes.run_backtest, to_test, "backtest", name="run_backtest"),
        Node(nodes.collect_history, "challengers", "training_history", name="collect_history"),
        Node(nodes.log_losses, "training_history", "training_losses", name="log_losses"),
        Node(nodes.plot_training_curve, curve, "training_curve", name="plot_training_curve"),
    ]
    return Pipeline(steps, tags=["training"])
