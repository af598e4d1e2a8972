"""The monitoring pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.monitoring.nodes import (
    draw_drift,
    draw_live,
    draw_pit,
    issue_forecast,
    judge_champion,
    keep_holes,
    keep_record,
    make_baseline_version,
    measure_drift,
    record_live,
    score_live,
    stand_down,
    tell_recent,
    tell_scores,
)


def create_pipeline() -> Pipeline:
    """Clean candles and the champion to the live record, its scores, and the verdict on the champion."""
    return Pipeline([*_recording(), *_judging(), *_telling()], tags=["monitoring"])


def _recording() -> list[Node]:
    monitoring = "params:monitoring"
    return [
        Node(
            issue_forecast,
            ["served_model", "stored_widths", "klines", "fetched_at", "run"],
            "issued",
            name="issue_forecast",
        ),
        Node(
            keep_record,
            ["stored_live_record", "issued", "klines", monitoring],
            "live_record",
            name="keep_record",
        ),
        Node(
            keep_holes,
            ["stored_live_holes", "live_record", "issued", "attempts", monitoring, "run"],
            "live_holes",
            name="keep_holes",
        ),
    ]


def _judging() -> list[Node]:
    monitoring = "params:monitoring"
    return [
        Node(
            judge_champion,
            ["live_record", "stored_champion", "served_model", "issued", monitoring],
            "standing",
            name="judge_champion",
        ),
        Node(
            make_baseline_version,
            ["standing", "served_model", "run"],
            ["demotion", "demoted_version"],
            name="make_baseline_version",
        ),
        Node(
            stand_down,
            ["stored_champion", "demoted_version", "demotion", "served_model", "run"],
            "champion",
            name="stand_down",
        ),
    ]


def _telling() -> list[Node]:
    monitoring = "params:monitoring"
    return [
        Node(measure_drift, ["served_model", "klines", monitoring, "run"], "drift", name="measure_drift"),
        Node(score_live, ["live_record", "issued", monitoring], "live_windows", name="score_live"),
        Node(
            tell_scores,
            ["live_record", "live_holes", "live_windows", "drift", "standing", "issued", "run"],
            "live_scores",
            name="tell_scores",
        ),
        Node(tell_recent, ["live_record", "klines", "issued", monitoring, "run"], "live_recent", name="tell_recent"),
        Node(record_live, "live_scores", "live_metrics", name="record_live"),
        Node(draw_live, "live_windows", "live_figure", name="draw_live"),
        Node(draw_pit, "live_windows", "pit_figure", name="draw_pit"),
        Node(draw_drift, "drift", "drift_figure", name="draw_drift"),
    ]
