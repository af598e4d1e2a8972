"""A challenger whose forecasts are no numbers: refused in words, and nothing after the gate stumbles over it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from make_us_rich.domain.card import ModelCard
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.judgement import Judgement
from make_us_rich.evaluation.calibration import Calibration
from make_us_rich.evaluation.gate import GateRules
from make_us_rich.evaluation.trials import Tried
from make_us_rich.evaluation.walk import Walk
from make_us_rich.pipelines.evaluating.card import write_card
from make_us_rich.pipelines.evaluating.figures import draw_coverage, draw_errors, draw_fan, draw_skill
from make_us_rich.pipelines.evaluating.judging import judge_challengers, keep_verdicts
from make_us_rich.pipelines.evaluating.nodes import score_walk, tell_metrics
from re_lived import walk_of
from synthetic import RUN, data_report, line, prepared

GATE = GateRules(folds=2, fold_hours=36)
REFUSED = "refused: its losses are not finite numbers"


@pytest.fixture(params=["one", "all"])
def walk(request: pytest.FixtureRequest) -> Walk:
    """Folds with a lead-in on which `har` broke, once or throughout."""
    made = walk_of("har", folds=(36, 36, 36))
    quantiles = {name: values.copy() for name, values in made.quantiles.items()}
    quantiles["har"][50 if request.param == "one" else slice(None)] = np.nan
    return replace(made, folds=made.folds - 1, quantiles=quantiles)


@pytest.fixture
def found(walk: Walk) -> tuple[dict[str, Any], Walk]:
    """What the gate found of it."""
    return judge_challengers(
        walk, line("har"), Tried(), data_report(), None, ChampionPointer(pair="btc_usdt"), GATE, Calibration(), RUN
    )


def test_it_is_refused_in_words_and_the_baseline_is_chosen(found: tuple[dict[str, Any], Walk]) -> None:
    made = Judgement.model_validate(found[0])
    (har,) = made.challengers
    assert (har.verdict.publish, har.verdict.reason) == (False, REFUSED)
    assert (har.skill, har.p) == (None, None)
    assert made.choice == "baseline"
    assert made.verdict.reason == f"no edge: the baseline is served (har {REFUSED})"


def test_a_broken_champion_is_no_hurdle_to_a_challenger_that_passes(walk: Walk) -> None:
    """The baseline's widths are at random here, and these are the market's."""
    good = walk_of("har", folds=(36, 36, 36)).quantiles["har"]
    folds = replace(walk, quantiles={**walk.quantiles, "har": good, "champion": walk.quantiles["har"]})
    rules = GATE.model_copy(update={"p_value": 0.5, "coverage_points": 0.09})
    record, _ = judge_challengers(
        folds, line("har"), Tried(), data_report(), None, ChampionPointer(pair="btc_usdt"), rules, Calibration(), RUN
    )
    (har,) = Judgement.model_validate(record).challengers
    assert har.verdict.publish
    assert "the champion's losses are not finite numbers" in har.verdict.reason


def test_log_card_scores_and_figures_are_made_all_the_same(found: tuple[dict[str, Any], Walk], walk: Walk) -> None:
    judgement, served = found
    choice = {"architecture": judgement["choice"]}
    scores = score_walk(served)
    assert tell_metrics(scores, choice)["crps_mean"] > 0
    record, text = write_card(judgement, scores, walk, served, line("har"), prepared().split)
    assert ModelCard.model_validate(record).choice == "baseline"
    assert REFUSED in text
    figures = [draw_fan(served, choice), draw_coverage(scores, choice), draw_skill(scores), draw_errors(scores)]
    assert all(figure["data"] for figure in figures)
    log = keep_verdicts(keep_verdicts(scores.iloc[:0, :0], judgement), judgement)
    assert log["reason"].tolist() == 2 * [REFUSED, f"no edge: the baseline is served (har {REFUSED})"]
