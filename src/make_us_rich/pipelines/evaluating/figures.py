"""What a person looks at: a fan over real prices, coverage, skill and errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from make_us_rich.domain.forecast import BASELINE
from make_us_rich.domain.klines import HOUR_MS
from make_us_rich.evaluation.table import ALL, ANY, INTERVALS
from make_us_rich.evaluation.walk import Walk
from make_us_rich.plotting import (
    BLUE,
    COLOURS,
    GREY,
    VERMILION,
    Figure,
    Trace,
    axis,
    frame,
    horizons,
    line,
    nothing,
    numbers,
    stamps,
    stroke,
    two_panels,
)

HOURS_BEFORE = 120
"""Of real closes before a fan."""


def draw_fan(walk: Walk, choice: dict[str, str]) -> Figure:
    """The chosen model's forecast at the newest origin whose outcome has come, over the real prices around it.

    Args:
        walk: Quantiles as they would have been served. The prices before the forecast are those of its origins: around
            a gap, where no forecast can be made, the line is torn.
        choice: ``architecture``.
    """
    name = choice["architecture"]
    if not len(walk):
        return nothing(f"{name}: forecast")
    traces = [*_bands(walk, name), *_baseline_outline(walk, name), _median(walk, name), _before(walk), _outcome(walk)]
    title = f"{name}: forecast of {stamps(_hours_ahead(walk))[0]} UTC"
    prices = axis("price, quote currency", tickformat=",.6~g")
    return {"data": traces, "layout": frame(title, axis("close of the hour, UTC"), prices)}


def draw_coverage(scores: pd.DataFrame, choice: dict[str, str]) -> Figure:
    """Share of the outcomes within the chosen model's intervals, by horizon and by volatility.

    Args:
        scores: See `score_walk`.
        choice: ``architecture``.
    """
    name = choice["architecture"]
    title = f"{name}: outcomes within the 50, 80 and 90 % intervals"
    if scores.empty:
        return nothing(title)
    rows = scores[scores["architecture"] == name]
    by_horizon = [trace for nominal in INTERVALS for trace in _covered_by_horizon(rows, nominal)]
    shares = axis("", autorangeoptions={"include": _SHARES})
    layout = two_panels(title, (horizons(), axis("share of outcomes, %")), (axis("80 % by volatility"), shares))
    lines = [_nominal(nominal, "x") for nominal in INTERVALS] + [_nominal(80, "x2")]
    return {"data": [*by_horizon, *_covered_by_volatility(rows)], "layout": {**layout, "shapes": lines}}


def draw_skill(scores: pd.DataFrame) -> Figure:
    """Share of the baseline's CRPS that is gone, by horizon and by fold, of every other architecture.

    Args:
        scores: See `score_walk`.
    """
    title = "CRPS skill: share of the baseline's error that is gone"
    if scores.empty:
        return nothing(title)
    palette = _palette(scores)
    traces = [trace for name in palette for trace in _skills(scores[scores["architecture"] == name], palette[name])]
    left, right = (horizons(), axis("skill, %")), (axis("fold, oldest first", dtick=1), axis(""))
    layout = {**two_panels(title, left, right), "barmode": "group"}
    return {"data": [_no_skill(scores), *traces], "layout": layout}


def draw_errors(scores: pd.DataFrame) -> Figure:
    """CRPS by horizon of every architecture, beside the baseline's.

    Args:
        scores: See `score_walk`.
    """
    title = "Error by horizon, mean of all folds"
    if scores.empty:
        return nothing(title)
    tables = dict(iter(_by_horizon(scores).groupby("architecture")))
    colours = {BASELINE: GREY, **_palette(scores)}
    traces = [_errors(name, tables[name], colours[name]) for name in colours]
    return {"data": traces, "layout": frame(title, horizons(), axis("CRPS, basis points (lower is better)"))}


def _bands(walk: Walk, name: str) -> Iterator[Trace]:
    """The intervals, widest first, each one a closed outline."""
    hours = stamps(_hours_ahead(walk))
    for (nominal, ends), opacity in zip(sorted(INTERVALS.items(), reverse=True), _OPACITIES, strict=True):
        low, high = (_prices(walk, name, level) for level in ends)
        outline = hours + hours[::-1], [*high, *low[::-1]]
        filled = {"fill": "toself", "fillcolor": f"rgba(0, 114, 178, {opacity})", "hoverinfo": "skip"}
        yield line(f"{nominal} % interval", outline, {"width": 0}, "") | filled


def _baseline_outline(walk: Walk, name: str) -> Iterator[Trace]:
    if name == BASELINE:
        return
    hours = stamps(_hours_ahead(walk))
    for level, shown in zip(INTERVALS[90], (True, False), strict=True):
        points = hours, _prices(walk, BASELINE, level)
        edge = line("baseline, 90 % interval", points, stroke(GREY, BASELINE), _PRICE_HOVER)
        yield edge | {"showlegend": shown, "legendgroup": BASELINE}


def _median(walk: Walk, name: str) -> Trace:
    ends = np.column_stack([_prices(walk, name, level) for level in INTERVALS[90]])
    hover = _PRICE_HOVER + "<br>90 % between %{customdata[0]:,.6~g} and %{customdata[1]:,.6~g}"
    points = stamps(_hours_ahead(walk)), _prices(walk, name, 0.5)
    return line("median", points, {"color": BLUE, "width": 2}, hover) | {"customdata": [numbers(row) for row in ends]}


def _before(walk: Walk) -> Trace:
    """Real closes up to the origin, the line torn where hours are missing."""
    recent = walk.opens > walk.opens[-1] - HOURS_BEFORE * _HOUR
    moments, closes = walk.opens[recent] + _HOUR, walk.closes[recent]
    torn = np.flatnonzero(np.diff(moments) > _HOUR) + 1
    points = stamps(np.insert(moments, torn, moments[torn] - _HOUR)), np.insert(closes, torn, np.nan)
    return line("real price", points, _REAL, _PRICE_HOVER)


def _outcome(walk: Walk) -> Trace:
    points = stamps(_hours_ahead(walk)), walk.closes[-1] * np.exp(np.insert(walk.targets[-1], 0, 0))
    return line("what came true", points, _REAL, _PRICE_HOVER) | {"mode": "lines+markers", "marker": {"size": 5}}


def _prices(walk: Walk, name: str, level: float) -> NDArray[np.float64]:
    """A quantile of the last forecast as prices, the last close before them, ``[1 + horizon]``."""
    returns = walk.quantiles[name][-1, :, walk.levels.index(level)].astype(np.float64)
    prices: NDArray[np.float64] = walk.closes[-1] * np.exp(np.insert(returns, 0, 0))
    return prices


def _hours_ahead(walk: Walk) -> NDArray[np.datetime64]:
    """Moment of the last forecast and of the closes that it forecasts, UTC, ``[1 + horizon]``."""
    hours: NDArray[np.datetime64] = walk.opens[-1] + _HOUR * np.arange(1, walk.targets.shape[1] + 2)
    return hours


def _covered_by_horizon(rows: pd.DataFrame, nominal: int) -> Iterator[Trace]:
    whole, hover = _by_horizon(rows), f"%{{x}} h: %{{y:.1f}} % within the {nominal} % interval"
    for model, covered in _beside_baseline(whole, f"coverage_{nominal}"):
        covering = line(model, (whole["horizon"], 100 * covered), stroke(BLUE, model), hover)
        yield covering | {"legendgroup": model, "showlegend": nominal == max(INTERVALS)}


def _covered_by_volatility(rows: pd.DataFrame) -> Iterator[Trace]:
    found = rows[(rows["volatility"] != ANY) & (rows["horizon"] == ALL)]
    hover = "%{x} volatility: %{y:.1f} % within the 80 % interval"
    marks = {"mode": "lines+markers", "marker": {"size": 9}, "showlegend": False}
    for model, covered in _beside_baseline(found, "coverage_80"):
        covering = line(model, (found["volatility"], 100 * covered), stroke(BLUE, model), hover)
        yield covering | marks | _ON_THE_RIGHT | {"legendgroup": model}


def _beside_baseline(rows: pd.DataFrame, score: str) -> Iterator[tuple[str, pd.Series[float]]]:
    """A score of the baseline, then, so that it is drawn above, of the one architecture that the rows are of."""
    yield BASELINE, rows[f"baseline_{score}"]
    for name in set(rows["architecture"]) - {BASELINE}:
        yield name, rows[score]


def _nominal(nominal: int, axis_name: str) -> dict[str, Any]:
    across = {"xref": f"{axis_name} domain", "x0": 0, "x1": 1}
    upright = {"yref": axis_name.replace("x", "y"), "y0": nominal, "y1": nominal}
    return {"type": "line", **across, **upright, "line": {"color": GREY, "width": 1, "dash": "dot"}}


def _no_skill(scores: pd.DataFrame) -> Trace:
    """The baseline's, which is 0 by definition."""
    hours = np.unique(_by_horizon(scores)["horizon"])
    return line(BASELINE, (hours.tolist(), np.zeros(len(hours))), stroke(GREY, BASELINE), "no better than the baseline")


def _skills(rows: pd.DataFrame, colour: str) -> Iterator[Trace]:
    name = str(rows["architecture"].iloc[0])
    whole, folds = _by_horizon(rows), rows[(rows["fold"] != ALL) & (rows["horizon"] == ALL)]
    points = whole["horizon"], 100 * whole["crps_skill"]
    yield line(name, points, stroke(colour, name), "%{x} h: %{y:+.1f} %") | {"legendgroup": name}
    bars = {"type": "bar", "name": name, "marker": {"color": colour}, "legendgroup": name, "showlegend": False}
    heights = {"x": folds["fold"].tolist(), "y": numbers(100 * folds["crps_skill"])}
    yield {**bars, **heights, "hovertemplate": "fold %{x}: %{y:+.1f} %", **_ON_THE_RIGHT}


def _errors(name: str, rows: pd.DataFrame, colour: str) -> Trace:
    points = rows["horizon"], _BASIS_POINTS * rows["crps"]
    return line(name, points, stroke(colour, name), "%{x} h: %{y:.2f} basis points")


def _by_horizon(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[(scores["fold"] == ALL) & (scores["volatility"] == ANY) & (scores["horizon"] != ALL)]


def _palette(scores: pd.DataFrame) -> dict[str, str]:
    """Colour of every architecture but the baseline."""
    names = sorted(set(scores["architecture"]) - {BASELINE})
    return {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(names)}


_HOUR = np.timedelta64(HOUR_MS, "ms")
_OPACITIES = (0.18, 0.28, 0.4)
_BASIS_POINTS = 1e4
_SHARES = [65, 95]
"""Per cent that an axis always reaches: on a closer one, the luck of a few days looks like a fault."""
_REAL = {"color": VERMILION, "width": 2}
_ON_THE_RIGHT = {"xaxis": "x2", "yaxis": "y2"}
_PRICE_HOVER = "%{x|%d %b %H:%M}: %{y:,.6~g}"
