"""The evaluating pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.pipelines.evaluating.card import write_card
from make_us_rich.pipelines.evaluating.figures import draw_coverage, draw_errors, draw_fan, draw_skill
from make_us_rich.pipelines.evaluating.judging import choose, count_tried, judge_challengers, keep_verdicts
from make_us_rich.pipelines.evaluating.nodes import print_figures, record_metrics, score_walk, tell_metrics


def create_pipeline() -> Pipeline:
    """The past re-lived to verdicts, the choice of the candidate, scores and figures."""
    return Pipeline(
        [
            Node(count_tried, ["stored_verdicts", "stored_trials", "stored_champion"], "tried", name="count_tried"),
            Node(
                judge_challengers,
                [
                    "walk",
                    "lineup",
                    "tried",
                    "data_report",
                    "served_model",
                    "stored_champion",
                    "params:gate",
                    "params:calibration",
                    "run",
                ],
                ["judgement", "served_walk"],
                name="judge_challengers",
            ),
            Node(choose, "judgement", "choice", name="choose"),
            Node(keep_verdicts, ["stored_verdicts", "judgement"], "verdicts", name="keep_verdicts"),
            Node(score_walk, "served_walk", "scores", name="score_walk"),
            Node(tell_metrics, ["scores", "choice"], "metrics", name="tell_metrics"),
            Node(record_metrics, "metrics", "run_metrics", name="record_metrics"),
            Node(
                write_card,
                ["judgement", "scores", "walk", "served_walk", "lineup", "split"],
                ["card", "card_text"],
                name="write_card",
            ),
            Node(draw_fan, ["served_walk", "choice"], "fan_figure", name="draw_fan"),
            Node(draw_coverage, ["scores", "choice"], "coverage_figure", name="draw_coverage"),
            Node(draw_skill, "scores", "skill_figure", name="draw_skill"),
            Node(draw_errors, "scores", "error_figure", name="draw_errors"),
            Node(
                print_figures,
                {
                    "fan": "fan_figure",
                    "coverage": "coverage_figure",
                    "skill": "skill_figure",
                    "errors": "error_figure",
                    "run": "run",
                },
                "figures_page",
                name="print_figures",
            ),
        ],
        tags=["evaluating"],
    )
