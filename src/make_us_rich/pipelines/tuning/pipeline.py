"""The tuning pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.tuning.nodes import log_trials, select_best_params, tune_architectures, update_trials


def create_pipeline() -> Pipeline:
    """Features to trials, and to the recipes that are better than the configured ones."""
    configured = [f"params:{name}" for name in ("architectures", "training", "backtest", "tuning")]
    to_tune = ["features", "klines", "candidates", *configured, "run"]
    to_select = ["new_trials", "stored_best_params", "params:tuning", "params:dry_run", "run"]
    nodes = [
        Node(tune_architectures, to_tune, "new_trials", name="tune_architectures"),
        Node(update_trials, ["stored_trials", "new_trials", "params:dry_run"], "trials", name="update_trials"),
        Node(select_best_params, to_select, "best_params", name="select_best_params"),
        Node(log_trials, "new_trials", "trial_losses", name="log_trials"),
    ]
    return Pipeline(nodes, tags=["tuning"])
