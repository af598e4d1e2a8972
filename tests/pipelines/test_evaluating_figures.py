import json
import re
from base64 import b64decode
from dataclasses import replace
from typing import Any
from zlib import decompress

import numpy as np
import plotly.graph_objects as go
import pytest

from make_us_rich.backtest.backtest import Backtest, Backtests
from make_us_rich.backtest.events import score_events
from make_us_rich.backtest.score_table import ALL, ANY, score_backtest
from make_us_rich.domain.forecast import LEVELS
from make_us_rich.pipelines.evaluating.figures import (
    HOURS_BEFORE,
    plot_coverage,
    plot_errors,
    plot_fan,
    plot_reliability,
    plot_skill,
)
from make_us_rich.pipelines.evaluating.report import build_report
from synthetic import RUN

HAR = {"choice": "har", "simulated": False}
SIMULATED = HAR | {"simulated": True}

Figures = dict[str, dict[str, Any]]


def plot(backtests: Backtests, report: dict[str, Any] = HAR) -> Figures:
    scores, events = score_backtest(backtests), score_events(backtests, report["choice"], seed=42)
    return {
        "fan": plot_fan(backtests, report),
        "coverage": plot_coverage(scores, report),
        "skill": plot_skill(scores, report),
        "errors": plot_errors(scores, report),
        "reliability": plot_reliability(events.model_dump(mode="json"), report),
    }


@pytest.fixture(scope="module")
def backtests(backtest_of: Any) -> Backtests:
    return backtest_of("har", "lstm", folds=(90, 90))


@pytest.fixture(scope="module")
def backtest(backtests: Backtests) -> Backtest:
    """Of the closes."""
    return backtests["close"]


@pytest.fixture(scope="module")
def figures(backtests: Backtests) -> Figures:
    return plot(backtests)


def traces(figure: dict[str, Any], **wanted: Any) -> list[dict[str, Any]]:
    return [trace for trace in figure["data"] if all(trace.get(name) == value for name, value in wanted.items())]


def trace(figure: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = traces(figure, name=name)
    return found


@pytest.mark.parametrize("name", ["fan", "coverage", "skill", "errors"])
def test_plotly_accepts_every_figure_and_the_baseline_is_grey_and_dashed(figures: Figures, name: str) -> None:
    lines = [each for each in figures[name]["data"] if each["name"].startswith("baseline")]

    assert go.Figure(figures[name]).data
    assert {(each["line"]["color"], each["line"]["dash"]) for each in lines} == {("#888888", "dash")}


def test_the_fan_has_intervals_and_outcome_as_prices_after_the_closes_before(
    figures: Figures, backtest: Backtest
) -> None:
    fan = figures["fan"]
    median, before, band, outcome = (trace(fan, name) for name in ("median", "price", "80 % interval", "outcome"))
    ends = [LEVELS.index(level) for level in (0.1, 0.9)]
    low, high = backtest.closes[-1] * np.exp(backtest.quantiles["har"][-1, :, ends].astype(float))

    # The candle that opened at 2025-01-08 11:00 closed an hour later.
    assert fan["layout"]["title"]["text"] == "har: forecast of 2025-01-08 12:00 UTC"
    assert median["x"][:2] == ["2025-01-08 12:00", "2025-01-08 13:00"]
    assert (median["y"][0], before["x"][-1]) == (backtest.closes[-1], "2025-01-08 12:00")
    assert before["y"] == pytest.approx(backtest.closes[-HOURS_BEFORE:])
    assert (band["y"][1:25], band["y"][-2:24:-1]) == (pytest.approx(high), pytest.approx(low))
    assert band["x"] == band["x"][::-1]
    assert outcome["y"][1:] == pytest.approx(backtest.closes[-1] * np.exp(backtest.targets[-1]))
    assert outcome["x"] == median["x"]


def test_skill_is_drawn_in_per_cent_by_horizon_and_by_fold(figures: Figures, backtests: Backtests) -> None:
    scores = score_backtest(backtests)
    rows = scores[(scores["architecture"] == "lstm") & (scores["volatility"] == ANY)]
    of_fold, of_horizon = rows["fold"] != ALL, rows["horizon"] != ALL
    line, bars = traces(figures["skill"], name="lstm")

    assert line["y"] == pytest.approx(100 * rows[~of_fold & of_horizon]["crps_skill"])
    assert bars["x"] == [1, 2]
    assert bars["y"] == pytest.approx(100 * rows[of_fold & ~of_horizon]["crps_skill"])


def test_reliability_is_drawn_in_per_cent_beside_the_diagonal(figures: Figures, backtests: Backtests) -> None:
    events = score_events(backtests, "har", seed=42).probabilities
    (scores,) = (each for each in events if (each.event, each.horizon) == ("touch", 4))
    points, diagonal = (trace(figures["reliability"], name) for name in ("touch, 4 h", "as said"))

    assert go.Figure(figures["reliability"]).data
    assert diagonal["x"] == diagonal["y"] == [0, 100]
    assert points["x"] == pytest.approx([100 * each.said for each in scores.bins])
    assert points["y"] == pytest.approx([100 * each.happened for each in scores.bins])
    assert points["customdata"] == [each.outcomes for each in scores.bins]


def test_a_fit_that_has_diverged_leaves_a_hole_that_json_knows(backtests: Backtests) -> None:
    broken = {
        target: replace(each, quantiles={**each.quantiles, "lstm": np.full_like(each.quantiles["lstm"], np.nan)})
        for target, each in backtests.items()
    }

    figures = plot(broken)

    assert set(trace(figures["errors"], "lstm")["y"]) == {None}
    assert json.dumps(figures, allow_nan=False)


def test_every_figure_of_a_simulated_market_says_so(backtests: Backtests) -> None:
    figures = plot(backtests, SIMULATED)

    assert all(figure["layout"]["title"]["text"].endswith(" (simulated market)") for figure in figures.values())
    assert trace(figures["fan"], "simulated price")


def test_the_report_draws_the_figures_without_a_network(figures: Figures) -> None:
    text = build_report(**figures, evaluation_report=SIMULATED, run=RUN)

    (data,) = re.findall(r"Object\.entries\((.*)\)\)$", text, re.MULTILINE)
    assert list(json.loads(data).values()) == json.loads(json.dumps(list(figures.values())))
    assert f"<h1>btc_usdt, version {RUN.version}, simulated market</h1>" in text
    assert "src=" not in text
    assert "http" not in re.sub(r'atob\(".*?"\)', "", text)
    (packed,) = re.findall(r'atob\("(.*?)"\)', text)
    assert b"Plotly" in decompress(b64decode(packed))


def test_no_text_of_the_data_ends_the_script(figures: Figures) -> None:
    fan = {"data": [{"name": "</script><b>"}], "layout": {}}

    text = build_report(**figures | {"fan": fan}, evaluation_report=HAR, run=RUN)

    assert text.count("</script>") == 1
    assert "<b>" not in text
