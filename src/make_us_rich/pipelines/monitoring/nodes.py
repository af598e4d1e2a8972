"""All nodes of the monitoring pipeline."""

from make_us_rich.pipelines.monitoring.figures import draw_drift, draw_live, draw_pit
from make_us_rich.pipelines.monitoring.issuing import issue_forecast, keep_holes, keep_record
from make_us_rich.pipelines.monitoring.scoring import measure_drift, record_live, score_live, tell_recent, tell_scores
from make_us_rich.pipelines.monitoring.standing import judge_champion, make_baseline_version, stand_down

__all__ = [
    "draw_drift",
    "draw_live",
    "draw_pit",
    "issue_forecast",
    "judge_champion",
    "keep_holes",
    "keep_record",
    "make_baseline_version",
    "measure_drift",
    "record_live",
    "score_live",
    "stand_down",
    "tell_recent",
    "tell_scores",
]
