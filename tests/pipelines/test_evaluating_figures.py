import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.evaluation.table import ALL, ANY, score_walk
from make_us_rich.evaluation.walk import Walk, no_walk
from make_us_rich.pipelines.evaluating.figures import HOURS_BEFORE, draw_coverage, draw_errors, draw_fan, draw_skill
from make_us_rich.pipelines.evaluating.page import PLOTLY, page
from re_lived import walk_of

HAR = {"architecture": "har"}
BASELINE = {"architecture": "baseline"}


@pytest.fixture(scope="module")
def walk() -> Walk:
    return walk_of("har", "lstm", folds=(90, 90))


@pytest.fixture(scope="module")
def scores(walk: Walk) -> pd.DataFrame:
    return score_walk(walk)


@pytest.fixture(scope="module")
def figures(walk: Walk, scores: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {
        "fan": draw_fan(walk, HAR),
        "coverage": draw_coverage(scores, HAR),
        "skill": draw_skill(scores),
        "errors": draw_errors(scores),
    }


def traces(figure: dict[str, Any], **wanted: Any) -> list[dict[str, Any]]:
    """Those with these values."""
    return [trace for trace in figure["data"] if all(trace.get(name) == value for name, value in wanted.items())]


def trace(figure: dict[str, Any], name: str) -> dict[str, Any]:
    """The only one of a name."""
    (found,) = traces(figure, name=name)
    return found


def whole(scores: pd.DataFrame, architecture: str) -> pd.DataFrame:
    """Scores on all folds by horizon."""
    rows = scores[(scores["fold"] == ALL) & (scores["volatility"] == ANY) & (scores["horizon"] != ALL)]
    return rows[rows["architecture"] == architecture]


def without(walk: Walk, *windows: int) -> Walk:
    """The walk around a gap."""
    return walk.at(~np.isin(np.arange(len(walk)), windows))


@pytest.mark.parametrize("name", ["fan", "coverage", "skill", "errors"])
def test_plotly_accepts_every_figure(figures: dict[str, dict[str, Any]], name: str) -> None:
    graph_objects = pytest.importorskip("plotly.graph_objects")

    assert graph_objects.Figure(figures[name]).data


@pytest.mark.parametrize("name", ["fan", "coverage", "skill", "errors"])
def test_every_axis_in_use_has_a_title_but_one_that_shares_its_neighbours(
    figures: dict[str, dict[str, Any]], name: str
) -> None:
    layout = figures[name]["layout"]

    assert layout["title"]["text"]
    assert all(layout[axis]["title"]["text"] for axis in layout if axis in ("xaxis", "yaxis", "xaxis2"))


def test_the_baseline_is_grey_and_dashed_in_every_figure(figures: dict[str, dict[str, Any]]) -> None:
    for figure in figures.values():
        lines = [each for each in figure["data"] if each["name"].startswith("baseline")]

        assert lines
        assert {(each["line"]["color"], each["line"]["dash"]) for each in lines} == {("#888888", "dash")}


def test_the_fan_begins_at_the_newest_origins_close(walk: Walk) -> None:
    fan = draw_fan(walk, HAR)

    # The candle that opened at 2025-01-08 11:00 closed an hour later.
    assert fan["layout"]["title"]["text"] == "har: forecast of 2025-01-08 12:00 UTC"
    assert trace(fan, "median")["x"][:2] == ["2025-01-08 12:00", "2025-01-08 13:00"]
    assert trace(fan, "median")["y"][0] == walk.closes[-1]


def test_the_fans_bands_are_the_intervals_as_prices(walk: Walk) -> None:
    band = trace(draw_fan(walk, HAR), "80 % interval")

    prices = walk.closes[-1] * np.exp(walk.quantiles["har"][-1, :, [1, 5]].astype(float))

    assert band["y"][1:25] == pytest.approx(prices[1])
    assert band["y"][-2:24:-1] == pytest.approx(prices[0])
    assert band["x"] == band["x"][::-1]


def test_the_fan_lies_over_what_came_true(walk: Walk) -> None:
    fan = draw_fan(walk, HAR)

    came_true = trace(fan, "what came true")

    assert came_true["y"][1:] == pytest.approx(walk.closes[-1] * np.exp(walk.targets[-1]))
    assert came_true["x"] == trace(fan, "median")["x"]


def test_real_closes_lead_up_to_the_fan(walk: Walk) -> None:
    before = trace(draw_fan(walk, HAR), "real price")

    assert before["y"] == pytest.approx(walk.closes[-HOURS_BEFORE:])
    assert before["x"][-1] == "2025-01-08 12:00"


def test_the_line_of_real_closes_is_torn_at_a_gap(walk: Walk) -> None:
    before = trace(draw_fan(without(walk, 150, 151, 152), HAR), "real price")

    hole = before["y"].index(None)

    # Of the missing hours, the one before the first that is there again.
    assert before["x"][hole - 1 : hole + 2] == ["2025-01-07 06:00", "2025-01-07 09:00", "2025-01-07 10:00"]
    assert before["y"].count(None) == 1


def test_the_hours_before_a_fan_are_counted_by_the_clock(walk: Walk) -> None:
    before = trace(draw_fan(without(walk, *range(70, 170)), HAR), "real price")

    assert before["x"][0] == "2025-01-03 13:00"


def test_the_baselines_own_fan_has_no_second_outline(walk: Walk) -> None:
    names = [each["name"] for each in draw_fan(walk, BASELINE)["data"]]

    assert names == ["90 % interval", "80 % interval", "50 % interval", "median", "real price", "what came true"]


def test_coverage_is_drawn_in_per_cent_beside_the_baselines_and_the_nominal(scores: pd.DataFrame) -> None:
    figure, rows = draw_coverage(scores, HAR), whole(scores, "har")
    left = [each for each in figure["data"] if "xaxis" not in each]

    drawn = [(each["name"], each["y"]) for each in left[:2]]

    assert drawn == [
        ("baseline", pytest.approx(100 * rows["baseline_coverage_50"])),
        ("har", pytest.approx(100 * rows["coverage_50"])),
    ]
    assert [line["y0"] for line in figure["layout"]["shapes"]] == [50, 80, 90, 80]


def test_coverage_by_volatility_is_that_of_the_80_per_cent_interval(scores: pd.DataFrame) -> None:
    (drawn,) = traces(draw_coverage(scores, HAR), name="har", xaxis="x2")
    rows = scores[(scores["architecture"] == "har") & (scores["horizon"] == ALL) & (scores["volatility"] != ANY)]

    assert drawn["x"] == ["low", "middle", "high"]
    assert drawn["y"] == pytest.approx(100 * rows["coverage_80"])


def test_the_baselines_own_coverage_is_drawn_once(scores: pd.DataFrame) -> None:
    assert {each["name"] for each in draw_coverage(scores, BASELINE)["data"]} == {"baseline"}


def test_skill_is_drawn_in_per_cent_by_horizon_and_by_fold(scores: pd.DataFrame) -> None:
    line, bars = traces(draw_skill(scores), name="lstm")
    rows = scores[scores["architecture"] == "lstm"]

    assert line["y"] == pytest.approx(100 * whole(scores, "lstm")["crps_skill"])
    assert bars["x"] == [1, 2]
    assert bars["y"] == pytest.approx(100 * rows[(rows["fold"] != ALL) & (rows["horizon"] == ALL)]["crps_skill"])


def test_the_baselines_skill_is_a_line_at_0(scores: pd.DataFrame) -> None:
    assert set(trace(draw_skill(scores), "baseline")["y"]) == {0}


def test_an_architecture_has_the_same_colour_by_horizon_by_fold_and_among_the_errors(scores: pd.DataFrame) -> None:
    line, bars = traces(draw_skill(scores), name="lstm")

    assert line["line"]["color"] == bars["marker"]["color"]
    assert line["line"]["color"] == trace(draw_errors(scores), "lstm")["line"]["color"]
    assert line["line"]["color"] != trace(draw_errors(scores), "har")["line"]["color"]


def test_errors_are_drawn_in_basis_points_of_every_architecture(scores: pd.DataFrame) -> None:
    figure = draw_errors(scores)

    assert {each["name"] for each in figure["data"]} == {"baseline", "har", "lstm"}
    assert trace(figure, "har")["y"] == pytest.approx(1e4 * whole(scores, "har")["crps"])
    assert figure["layout"]["yaxis"]["title"]["text"] == "CRPS, basis points (lower is better)"


def test_a_fit_that_has_diverged_leaves_a_hole_that_json_knows(walk: Walk) -> None:
    broken = {**walk.quantiles, "lstm": np.full_like(walk.quantiles["lstm"], np.nan)}
    scores = score_walk(replace(walk, quantiles=broken))

    figures = [draw_skill(scores), draw_errors(scores), draw_coverage(scores, HAR)]

    assert set(trace(figures[1], "lstm")["y"]) == {None}
    assert json.dumps(figures, allow_nan=False)


def test_a_pair_too_young_for_the_folds_has_figures_that_say_so() -> None:
    young = no_walk(QUANTILE_LEVELS, {"har": "too few candles"})
    scores = score_walk(young)

    figures = [draw_fan(young, BASELINE), draw_coverage(scores, BASELINE), draw_skill(scores), draw_errors(scores)]

    for figure in figures:
        assert figure["data"] == []
        assert "too few candles" in figure["layout"]["annotations"][0]["text"]


def test_the_page_draws_the_very_figures(figures: dict[str, dict[str, Any]]) -> None:
    text = page(figures, "btc_usdt")

    (data,) = re.findall(r"Object\.entries\((.*)\)\) \{", text)

    assert json.loads(data) == json.loads(json.dumps(figures))
    assert [f'id="{name}"' in text for name in figures] == [True] * 4
    assert f'src="{PLOTLY}"' in text


def test_no_text_of_the_data_ends_the_script_or_opens_a_tag() -> None:
    text = page({"fan": {"data": [{"name": "</script><b>"}], "layout": {}}}, "<i>title</i>")

    assert text.count("</script>") == 2
    assert "<b>" not in text
    assert "<i>" not in text


def test_a_number_that_json_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        page({"fan": {"data": [{"y": [float("nan")]}], "layout": {}}}, "btc_usdt")
