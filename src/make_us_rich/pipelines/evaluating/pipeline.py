"""The evaluating pipeline."""

from kedro.pipeline import Node, Pipeline

from make_us_rich.backtest.score_table import score_backtest
from make_us_rich.pipelines.evaluating import figures, nodes
from make_us_rich.pipelines.evaluating.model_card import write_model_card
from make_us_rich.pipelines.evaluating.report import build_report


def create_pipeline() -> Pipeline:
    """The backtest to verdicts, the model to convert, its card, scores and figures."""
    report, served, events = "evaluation_report", "served_backtest", "event_scores"
    evaluated = [report, served, "candidate_past_forecasts", "calibration_effect"]
    logs = ["stored_verdicts", "stored_trials", "stored_champion"]
    made = ["backtest", "candidates", "comparisons", "data_report", "served_model", "stored_champion"]
    rules = ["params:gate", "params:calibration", "params:dry_run"]
    card_inputs = [report, "scores", "calibration_effect", served, events, "candidates", "split"]
    plotted = ["fan_figure", "coverage_figure", "skill_figure", "error_figure", "reliability_figure"]
    steps = [
        Node(nodes.count_comparisons, logs, "comparisons", name="count_comparisons"),
        Node(nodes.evaluate_challengers, [*made, *rules, "run"], evaluated, name="evaluate_challengers"),
        Node(nodes.update_verdicts, ["stored_verdicts", report, "params:dry_run"], "verdicts", name="update_verdicts"),
        Node(score_backtest, served, "scores", name="score_backtest"),
        Node(nodes.summarize_scores, ["scores", report], "metrics", name="summarize_scores"),
        Node(nodes.score_probabilities, [served, report, "params:training"], events, name="score_probabilities"),
        Node(nodes.log_metrics, ["metrics", events], "run_metrics", name="log_metrics"),
        Node(write_model_card, card_inputs, ["card", "card_text"], name="write_model_card"),
        Node(figures.plot_fan, [served, report], "fan_figure", name="plot_fan"),
        Node(figures.plot_coverage, ["scores", report], "coverage_figure", name="plot_coverage"),
        Node(figures.plot_skill, ["scores", report], "skill_figure", name="plot_skill"),
        Node(figures.plot_errors, ["scores", report], "error_figure", name="plot_errors"),
        Node(figures.plot_reliability, [events, report], "reliability_figure", name="plot_reliability"),
        Node(build_report, [*plotted, report, "run"], "figures_page", name="build_report"),
    ]
    return Pipeline(steps, tags=["evaluating"])
