"""The monitoring pipeline."""

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.monitoring import demotion, figures, nodes


def create_pipeline() -> Pipeline:
    """From clean candles and the champion to the live record, its scores, and the demotion check."""
    steps = [
        _node(nodes.issue_forecast, "served_model stored_conformal_scales klines fetch_info run", "issued"),
        _node(nodes.update_live_record, "stored_live_record issued klines params:monitoring", "live_record"),
        _node(
            nodes.update_missed_forecasts,
            "stored_missed_forecasts live_record issued runs params:monitoring run",
            "missed_forecasts",
        ),
        _node(
            demotion.check_champion,
            "live_record stored_champion served_model issued params:monitoring",
            "champion_status",
        ),
        _node(demotion.make_baseline_version, "champion_status served_model run", ["demotion", "demoted_version"]),
        _node(demotion.demote_champion, "stored_champion demoted_version demotion served_model run", "champion"),
        _node(nodes.measure_drift, "served_model klines params:monitoring run", "drift"),
        _node(
            nodes.score_live, "live_record served_model issued params:monitoring", ["live_windows", "served_windows"]
        ),
        _node(
            nodes.build_live_scores,
            "live_record missed_forecasts live_windows served_windows drift champion_status issued run",
            "live_scores",
        ),
        _node(nodes.build_recent_forecasts, "live_record klines issued params:monitoring run", "live_recent"),
        _node(nodes.build_live_metrics, "live_scores", "live_metrics"),
        _node(figures.plot_live_skill, "live_windows", "live_figure"),
        _node(figures.plot_pit, "live_windows", "pit_figure"),
        _node(figures.plot_drift, "drift", "drift_figure"),
    ]
    return Pipeline(steps, tags=["monitoring"])


def _node(function: Callable[..., Any], inputs: str, outputs: str | list[str]) -> Node:
    return Node(function, inputs.split(), outputs, name=function.__name__)
