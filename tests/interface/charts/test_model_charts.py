"""Skill, coverage and verdicts: the baseline is zero, and a verdict shows whether it was published."""

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from forecast_answers import FIRST
from interface.charts.coverage import coverage_by_volatility
from interface.charts.skill import contest, skill_by_fold, skill_by_fold_and_horizon, skill_by_horizon
from interface.charts.verdicts import Ruling, timeline
from interface.palette import DARK, LIGHT
from make_us_rich.domain.card import AtVolatility, ModelCard, OnFold, Scores
from make_us_rich.domain.judgement import Judged, Judgement
from make_us_rich.domain.manifest import Verdict
from synthetic import judgement


def scored(coverage: float) -> Scores:
    return Scores(
        crps=0.002,
        coverage_50=coverage - 0.3,
        coverage_80=coverage,
        coverage_90=coverage + 0.1,
        rmse=1.0,
        mae=1.0,
        mape=0.01,
        mase=1.0,
        directional_accuracy=0.5,
    )


def fold(at: int, skill: float, compared: dict[str, Any]) -> OnFold:
    first = FIRST + timedelta(days=21 * at)
    return OnFold(fold=at, first=first, last=first + timedelta(days=20), **compared, crps_skill=skill)


def card(*skills: float) -> ModelCard:
    """Folds with these skills; the model holds 81 % in every tercile, the baseline 76 %."""
    compared: dict[str, Any] = {"windows": 504, "own": scored(0.81), "baseline": scored(0.76)}
    folds = [fold(at, skill, compared) for at, skill in enumerate(skills, 1)]
    terciles = [AtVolatility(volatility=name, **compared, crps_skill=0.03) for name in ("low", "middle", "high")]
    made = Judgement.model_validate(judgement("har"))
    return ModelCard(
        **made.model_dump(),
        described={"har": "A model"},
        recipe={"har": {}},
        trained_until=FIRST,
        horizons=(),
        volatilities=tuple(terciles) if skills else (),
        folds=tuple(folds),
        calibration=(),
    )


def scores() -> pd.DataFrame:
    """Two folds and two horizons of har, with skills of 1 to 4 %, and their means."""
    rows = [("har", fold, "all", hour, (2 * fold + hour - 2) / 100) for fold in (1, 2) for hour in (1, 2)]
    rows += [("har", 0, "all", hour, (1 + hour) / 100) for hour in (1, 2)]
    rows += [("har", 1, "all", 0, 0.9), ("har", 0, "low", 1, 0.9), ("baseline", 0, "all", 1, 0.0)]
    return pd.DataFrame(rows, columns=["architecture", "fold", "volatility", "horizon", "crps_skill"])


def judged(name: str, skill: float | None, *, publish: bool) -> Judged:
    verdict = Verdict(publish=publish, reason="because")
    return Judged(
        architecture=name, recipe={}, verdict=verdict, edge=verdict, tried=1, skill=skill, p=0.004, folds_won=7, folds=8
    )


def ruling(architecture: str, skill: float | None, *, published: bool) -> Ruling:
    return Ruling(FIRST, "v1", architecture, published, "mean CRPS 3 % below the baseline's", skill, 0.01, 7, 8)


def zeros(figure: Any) -> list[Any]:
    """Dashed lines at zero, which are the baseline."""
    return [
        each
        for each in figure.layout.shapes
        if each.line.dash == "dash" and (each.y0 if each.y0 == each.y1 else each.x0) == 0
    ]


def test_a_fold_below_the_baseline_has_another_colour() -> None:
    figure = skill_by_fold(card(0.03, -0.01), LIGHT)
    (bars,) = figure.data
    assert (bars.y, bars.marker.color) == ((3, -1), (LIGHT.fan, LIGHT.worse))
    assert bars.x == ("22 Mar", "12 Apr")
    assert len(zeros(figure)) == 1


def test_a_fold_tells_its_span_and_size() -> None:
    (bars,) = skill_by_fold(card(0.03), LIGHT).data
    told = bars.hovertext[0].replace("\u00a0", " ")
    assert told == "fold 1, 2025-03-22 to 2025-04-11 UTC<br>skill +3.0 %<br>504 forecasts"


def test_the_heat_map_is_of_one_model_by_horizon_and_fold() -> None:
    (cells,) = skill_by_fold_and_horizon(scores(), "har", LIGHT).data
    assert [list(row) for row in cells.z] == [[1, 3], [2, 4]]
    assert (list(cells.x), list(cells.y)) == (["1", "2"], [1, 2])


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_the_baseline_is_the_middle_of_the_heat_maps_colours(colours: Any) -> None:
    (cells,) = skill_by_fold_and_horizon(scores(), "har", colours).data
    assert cells.zmin == -cells.zmax == -4
    assert cells.colorscale[1] == (0.5, colours.ground)


def test_skill_by_horizon_has_a_line_a_model_and_none_for_the_baseline() -> None:
    figure = skill_by_horizon(scores(), LIGHT)
    (line,) = figure.data
    assert (line.name, line.x, line.y) == ("har", (1, 2), (2, 3))
    assert len(zeros(figure)) == 1


def test_challengers_that_were_refused_are_hollow() -> None:
    figure = contest([judged("har", 0.03, publish=True), judged("lstm", -0.02, publish=False)], LIGHT)
    (bars,) = figure.data
    # From the bottom up, so that the first one is on top.
    assert (bars.y, bars.x) == (("lstm", "har"), (-2, 3))
    assert bars.marker.color == (LIGHT.ground, LIGHT.fan)
    assert [text.replace("\u00a0", " ") for text in bars.text] == ["−2.0 %, p = 0.004", "+3.0 %, p = 0.004"]


def test_coverage_stands_beside_what_was_promised() -> None:
    figure = coverage_by_volatility(card(0.03), LIGHT)
    at_80 = {each.name: each.y for each in figure.data if each.meta == 80}
    assert at_80 == {"model": (81, 81, 81), "baseline": (76, 76, 76)}
    assert [each.y0 for each in figure.layout.shapes] == [90, 80, 50]
    assert figure.data[0].x == ("calm hours", "usual hours", "wild hours")


def test_a_published_verdict_is_a_disc_and_another_a_cross() -> None:
    figure = timeline([ruling("har", 0.03, published=True), ruling("har", None, published=False)], LIGHT)
    (marks,) = figure.data
    assert (marks.marker.symbol, marks.y) == (("circle", "x-thin"), (3, 0))
    assert marks.hovertext[0].startswith("<b>har: published</b>, skill +3.0")
    assert "1 Mar 2025, 00:00 UTC" in marks.hovertext[0]


def test_each_model_has_a_row_of_marks_of_its_own_colour() -> None:
    figure = timeline([ruling("har", 0.03, published=True), ruling("har+lstm", 0.04, published=False)], LIGHT)
    assert [each.name for each in figure.data] == ["har", "har + lstm"]
    assert len({each.marker.color for each in figure.data}) == 2


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (skill_by_fold(card(), LIGHT), "Too few candles for folds"),
        (coverage_by_volatility(card(), LIGHT), "Too few candles for folds"),
        (skill_by_fold_and_horizon(pd.DataFrame(), "har", LIGHT), "No folds of har in the newest run"),
        (skill_by_horizon(pd.DataFrame(), LIGHT), "No scores yet"),
        (contest([judged("har", None, publish=False)], LIGHT), "No challenger could be judged"),
        (timeline([], LIGHT), "No verdict yet"),
    ],
)
def test_nothing_to_draw_is_said(figure: Any, text: str) -> None:
    assert [note.text for note in figure.layout.annotations] == [text]
    assert figure.data == ()
