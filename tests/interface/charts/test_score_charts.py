"""Skill, coverage and verdicts: the baseline is zero, and a verdict shows whether it was published."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from interface.charts import scores as figures
from interface.charts.style import DARK, LIGHT
from make_us_rich.domain.evaluation import BinScores, ChallengerResult
from make_us_rich.domain.manifest import Verdict
from make_us_rich.domain.model_card import AtVolatility, ModelCard, OnFold, Scores

FIRST = datetime(2025, 3, 1, tzinfo=UTC)
BASELINE_AT_ZERO = [(0, 0, "dash")]


def card(*skills: float) -> ModelCard:
    """Folds with these skills; the model holds 81 % in every tercile, the baseline 76 %."""
    own, baseline = (Scores.model_construct(coverage_50=0.5, coverage_80=c, coverage_90=0.9) for c in (0.81, 0.76))
    folds, terciles = [], ("low", "middle", "high") if skills else ()
    for at, skill in enumerate(skills, 1):
        days = {"first": FIRST + timedelta(days=21 * at), "last": FIRST + timedelta(days=21 * at + 20)}
        folds.append(OnFold.model_construct(fold=at, **days, windows=504, crps_skill=skill))
    rows = [AtVolatility.model_construct(volatility=name, own=own, baseline=baseline) for name in terciles]
    return ModelCard.model_construct(folds=folds, volatilities=rows)


def scores() -> pd.DataFrame:
    """Two folds and two horizons of har, with skills of 1 to 4 %, and their means."""
    rows = [("har", fold, "all", hour, (2 * fold + hour - 2) / 100) for fold in (1, 2) for hour in (1, 2)]
    rows += [("har", 0, "all", hour, (1 + hour) / 100) for hour in (1, 2)]
    rows += [("har", 1, "all", 0, 0.9), ("har", 0, "low", 1, 0.9), ("baseline", 0, "all", 1, 0.0)]
    return pd.DataFrame(rows, columns=["architecture", "fold", "volatility", "horizon", "crps_skill"])


def result(name: str, skill: float | None, *, publish: bool) -> ChallengerResult:
    verdict = Verdict(publish=publish, reason="because")
    return ChallengerResult.model_construct(architecture=name, verdict=verdict, skill=skill, p=0.004)


def test_folds_have_the_colour_of_their_sign_their_span_and_size(plain) -> None:
    figure = figures.fold_figure(card(0.03, -0.01), LIGHT)
    (bars,) = figure.data
    assert (bars.x, bars.y, bars.marker.color) == (("22 Mar", "12 Apr"), (3, -1), (LIGHT.fan, LIGHT.falling))
    assert plain(bars.hovertext[0]) == "fold 1, 2025-03-22 to 2025-04-11 UTC<br>skill +3.0 %<br>504 forecasts"
    assert [(line.y0, line.y1, line.line.dash) for line in figure.layout.shapes] == BASELINE_AT_ZERO


def test_the_heat_map_is_of_one_model_and_the_baseline_is_its_middle() -> None:
    (cells,) = figures.fold_horizon_figure(scores(), "har", DARK).data
    assert [list(row) for row in cells.z] == [[1, 3], [2, 4]]
    assert (list(cells.x), list(cells.y)) == (["1", "2"], [1, 2])
    assert cells.zmin == -cells.zmax == -4
    assert cells.colorscale[1] == (0.5, DARK.background)


def test_challengers_that_were_refused_are_hollow(plain) -> None:
    figure = figures.challenger_figure([result("har", 0.03, publish=True), result("lstm", -0.02, publish=False)], LIGHT)
    (bars,) = figure.data
    # From the bottom up, so that the first one is on top.
    assert (bars.y, bars.x) == (("lstm", "har"), (-2, 3))
    assert bars.marker.color == (LIGHT.background, LIGHT.fan)
    assert [plain(text) for text in bars.text] == ["−2.0 %, p = 0.004", "+3.0 %, p = 0.004"]


def test_what_was_said_stands_beside_what_happened_with_its_number(plain) -> None:
    bins = (BinScores(said=0.1, happened=0.125, outcomes=400), BinScores(said=0.3, happened=0.25, outcomes=100))
    diagonal, line = figures.reliability_figure({4: bins}, DARK).data
    assert (diagonal.x, diagonal.y, diagonal.line.dash) == ((0, 100), (0, 100), "dash")
    assert (plain(line.name), line.x, line.y) == ("4 h", (10, 30), (12.5, 25))
    assert line.marker.size == (16, 10.5)
    assert plain(line.hovertext[0]) == "4 h: said 10.0 %, happened 12.5 %<br>400 forecasts"


def test_a_published_verdict_is_a_disc_and_another_a_cross_in_the_models_colour() -> None:
    rows = [("har", 0.03, True), ("har", None, False), ("har+lstm", 0.04, False)]
    verdicts = pd.DataFrame(rows, columns=["architecture", "skill", "published"]).assign(at=FIRST, reason="because")
    marks, others = figures.verdict_figure(verdicts, LIGHT).data
    assert (marks.marker.symbol, marks.y) == (("circle", "x-thin"), (3, 0))
    assert marks.hovertext[0].startswith("<b>har: published</b>, skill +3.0")
    assert "1 Mar 2025, 00:00 UTC" in marks.hovertext[0]
    assert (marks.name, others.name) == ("har", "har + lstm")
    assert marks.marker.color != others.marker.color


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (figures.fold_figure(card(), LIGHT), "Too few candles for folds"),
        (figures.coverage_figure(card(), LIGHT), "Too few candles for folds"),
        (figures.fold_horizon_figure(pd.DataFrame(), "har", LIGHT), "No folds of har in the newest run"),
        (figures.horizon_figure(pd.DataFrame(), LIGHT), "No scores yet"),
        (figures.challenger_figure([result("har", None, publish=False)], LIGHT), "No challenger could be evaluated"),
        (figures.reliability_figure({4: []}, LIGHT), "Too few forecasts"),
        (figures.verdict_figure(pd.DataFrame(), LIGHT), "No verdict yet"),
    ],
)
def test_an_empty_chart_says_why(figure: Any, text: str) -> None:
    assert [note.text for note in figure.layout.annotations] == [text]
    assert figure.data == ()
