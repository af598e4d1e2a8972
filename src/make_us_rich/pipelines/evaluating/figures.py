"""Figures of a run: a fan chart, coverage, skill and errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from make_us_rich.backtest.backtest import Backtest, Backtests
from make_us_rich.backtest.score_table import ALL, ANY, INTERVALS
from make_us_rich.domain.evaluation import EventScores
from make_us_rich.domain.forecast import BASELINE
from make_us_rich.features.base import HOUR
from make_us_rich.plotting import (
    BLUE,
    COLOURS,
    GREY,
    VERMILION,
    Figure,
    Trace,
    axis,
    empty_figure,
    frame,
    horizons,
    line,
    numbers,
    stamps,
    stroke,
    titled,
    two_panels,
)

HOURS_BEFORE = 120
"""Hours of closes before a fan."""

_OPACITIES = {90: 0.18, 80: 0.28, 50: 0.4}
_SHARES = [65, 95]
"""Per cent that an axis always includes: on a narrower one, the chance of a few days looks like a fault."""
_ON_THE_RIGHT = {"xaxis": "x2", "yaxis": "y2"}
_SAID_HOVER = "said %{x:.1f} %, happened %{y:.1f} % of %{customdata:,}"
_PRICE_HOVER = "%{x|%d %b %H:%M}: %{y:,.6~g}"


def plot_fan(served_backtest: Backtests, evaluation_report: dict[str, Any]) -> Figure:
    """The chosen model's forecast at the newest origin whose outcome is known, and the prices around it.

    Args:
        served_backtest: The test folds by target, quantiles as served. The prices are the closes of its origins: around
            a gap, where no forecast can be made, the line is interrupted.
        evaluation_report: The choice, and whether the market is simulated.
    """
    name, simulated = evaluation_report["choice"], evaluation_report["simulated"]
    closes = served_backtest["close"]
    if not len(closes):
        return empty_figure(titled(f"{name}: forecast", simulated))
    hours = stamps(closes.opens[-1] + HOUR * np.arange(1, closes.targets.shape[1] + 2))
    price = "simulated price" if simulated else "price"
    traces = [*_fan(closes, name, hours), *_prices(closes, price, hours)]
    title = titled(f"{name}: forecast of {hours[0]} UTC", simulated)
    prices = axis(f"{price}, quote currency", tickformat=",.6~g")
    return {"data": traces, "layout": frame(title, axis("close of the hour, UTC"), prices)}


def plot_coverage(scores: pd.DataFrame, evaluation_report: dict[str, Any]) -> Figure:
    """Share of the outcomes within the chosen model's intervals, by horizon and by volatility."""
    name = evaluation_report["choice"]
    title = titled(f"{name}: outcomes within the 50, 80 and 90 % intervals", evaluation_report["simulated"])
    if scores.empty:
        return empty_figure(title)
    rows = scores[scores["architecture"] == name]
    terciles = rows[(rows["volatility"] != ANY) & (rows["horizon"] == ALL)]
    marks = {"mode": "lines+markers", "marker": {"size": 9}, "showlegend": False, **_ON_THE_RIGHT}
    traces = [
        trace | {"showlegend": share == max(INTERVALS)}
        for share in INTERVALS
        for trace in _coverage(_by_horizon(rows), "horizon", share, "%{x} h")
    ]
    traces += [trace | marks for trace in _coverage(terciles, "volatility", 80, "%{x} volatility")]
    left = horizons(), axis("share of outcomes, %")
    right = axis("80 % by volatility"), axis("", autorangeoptions={"include": _SHARES})
    dotted = {"type": "line", "x0": 0, "x1": 1, "line": {"color": GREY, "width": 1, "dash": "dot"}}
    targets = [
        {**dotted, "xref": f"x{panel} domain", "yref": f"y{panel}", "y0": share, "y1": share}
        for share, panel in [*((share, "") for share in INTERVALS), (80, "2")]
    ]
    return {"data": traces, "layout": {**two_panels(title, left, right), "shapes": targets}}


def plot_skill(scores: pd.DataFrame, evaluation_report: dict[str, Any]) -> Figure:
    """Share of the baseline's CRPS that is gone, by horizon and by fold, of every other architecture."""
    title = titled("CRPS skill: share of the baseline's error that is gone", evaluation_report["simulated"])
    if scores.empty:
        return empty_figure(title)
    hours = np.unique(_by_horizon(scores)["horizon"])
    zero = line(BASELINE, (hours.tolist(), np.zeros(len(hours))), stroke(GREY, BASELINE), "no better than the baseline")
    traces = [zero]
    for name, colour in _palette(scores).items():
        rows = scores[scores["architecture"] == name]
        whole, folds = _by_horizon(rows), rows[(rows["fold"] != ALL) & (rows["horizon"] == ALL)]
        points = whole["horizon"], 100 * whole["crps_skill"]
        traces.append(line(name, points, stroke(colour, name), "%{x} h: %{y:+.1f} %") | {"legendgroup": name})
        bars = {"type": "bar", "name": name, "marker": {"color": colour}, "legendgroup": name, "showlegend": False}
        heights = {"x": folds["fold"].tolist(), "y": numbers(100 * folds["crps_skill"])}
        traces.append({**bars, **heights, "hovertemplate": "fold %{x}: %{y:+.1f} %", **_ON_THE_RIGHT})
    left, right = (horizons(), axis("skill, %")), (axis("fold, oldest first", dtick=1), axis(""))
    return {"data": traces, "layout": {**two_panels(title, left, right), "barmode": "group"}}


def plot_errors(scores: pd.DataFrame, evaluation_report: dict[str, Any]) -> Figure:
    """CRPS by horizon of every architecture, beside the baseline's."""
    title = titled("Error by horizon, mean of all folds", evaluation_report["simulated"])
    if scores.empty:
        return empty_figure(title)
    tables, hover = dict(iter(_by_horizon(scores).groupby("architecture"))), "%{x} h: %{y:.2f} basis points"
    traces = [
        line(name, (tables[name]["horizon"], 1e4 * tables[name]["crps"]), stroke(colour, name), hover)
        for name, colour in {BASELINE: GREY, **_palette(scores)}.items()
    ]
    return {"data": traces, "layout": frame(title, horizons(), axis("CRPS, basis points (lower is better)"))}


def plot_reliability(event_scores: dict[str, Any], evaluation_report: dict[str, Any]) -> Figure:
    """What was said of closes and touches against what happened."""
    title = titled("Probabilities: said and happened", evaluation_report["simulated"])
    scores = EventScores.model_validate(event_scores).probabilities
    if not scores:
        return empty_figure(title)
    traces = [line("as said", ([0, 100], [0, 100]), stroke(GREY, BASELINE), "")]
    horizons_of = sorted({each.horizon for each in scores})
    for each in scores:
        said, happened = ([100 * getattr(of, name) for of in each.bins] for name in ("said", "happened"))
        colour = COLOURS[horizons_of.index(each.horizon)]
        points = line(f"{each.event}, {each.horizon} h", (said, happened), stroke(colour, ""), _SAID_HOVER)
        counts = [of.outcomes for of in each.bins]
        marker = {"size": 7, "symbol": "circle" if each.event == "touch" else "diamond-open"}
        traces.append(points | {"mode": "lines+markers", "marker": marker, "customdata": counts})
    return {"data": traces, "layout": frame(title, axis("said, %"), axis("happened, %"))}


def _fan(backtest: Backtest, name: str, hours: list[str]) -> Iterator[Trace]:
    """The newest forecast: its intervals, widest first, both ends of the baseline's 90 % interval, its median."""

    def prices(model: str, level: float) -> NDArray[np.float64]:
        returns = backtest.quantiles[model][-1, :, backtest.levels.index(level)].astype(np.float64)
        made: NDArray[np.float64] = backtest.closes[-1] * np.exp(np.insert(returns, 0, 0))
        return made

    for share, opacity in _OPACITIES.items():
        low, high = (prices(name, level) for level in INTERVALS[share])
        outline = hours + hours[::-1], [*high, *low[::-1]]
        filled = {"fill": "toself", "fillcolor": f"rgba(0, 114, 178, {opacity})", "hoverinfo": "skip"}
        yield line(f"{share} % interval", outline, {"width": 0}, "") | filled
    for level, shown in zip(INTERVALS[90], (True, False), strict=True):
        if name != BASELINE:
            points = hours, prices(BASELINE, level)
            edge = line("baseline, 90 % interval", points, stroke(GREY, BASELINE), _PRICE_HOVER)
            yield edge | {"showlegend": shown, "legendgroup": BASELINE}
    ends = zip(*(numbers(prices(name, level)) for level in INTERVALS[90]), strict=True)
    hover = _PRICE_HOVER + "<br>90 % between %{customdata[0]:,.6~g} and %{customdata[1]:,.6~g}"
    median = line("median", (hours, prices(name, 0.5)), {"color": BLUE, "width": 2}, hover)
    yield median | {"customdata": list(map(list, ends))}


def _prices(backtest: Backtest, name: str, hours: list[str]) -> Iterator[Trace]:
    """Closes up to the origin, the line interrupted where hours are missing, and what came true."""
    style = {"color": VERMILION, "width": 2}
    recent = backtest.opens > backtest.opens[-1] - HOURS_BEFORE * HOUR
    moments, closes = backtest.opens[recent] + HOUR, backtest.closes[recent]
    gaps = np.flatnonzero(np.diff(moments) > HOUR) + 1
    points = stamps(np.insert(moments, gaps, moments[gaps] - HOUR)), np.insert(closes, gaps, np.nan)
    yield line(name, points, style, _PRICE_HOVER)
    outcome = closes[-1] * np.exp(np.insert(backtest.targets[-1], 0, 0))
    yield line("outcome", (hours, outcome), style, _PRICE_HOVER) | {"mode": "lines+markers", "marker": {"size": 5}}


def _coverage(rows: pd.DataFrame, x: str, share: int, where: str) -> Iterator[Trace]:
    """The baseline's, then, so that it is drawn above, that of the one architecture that the rows are of."""
    hover = f"{where}: %{{y:.1f}} % within the {share} % interval"
    own = [(name, "") for name in set(rows["architecture"]) - {BASELINE}]
    for model, prefix in [(BASELINE, "baseline_"), *own]:
        points = rows[x], 100 * rows[f"{prefix}coverage_{share}"]
        yield line(model, points, stroke(BLUE, model), hover) | {"legendgroup": model}


def _by_horizon(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[(scores["fold"] == ALL) & (scores["volatility"] == ANY) & (scores["horizon"] != ALL)]


def _palette(scores: pd.DataFrame) -> dict[str, str]:
    """Colour of every architecture but the baseline."""
    names = sorted(set(scores["architecture"]) - {BASELINE})
    return {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(names)}
