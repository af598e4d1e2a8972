"""Lines, axes and colours that the figures share.

A figure is ``{"data": [...], "layout": {...}}``; Plotly is not imported. Kedro-Viz draws it on a dark or a light
background, sets text colours and margins itself, and shows the hover text of one trace at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from make_us_rich.domain.forecast import BASELINE, HORIZON

Figure = dict[str, Any]
Trace = dict[str, Any]
Axes = tuple[dict[str, Any], dict[str, Any]]
"""x and y."""

# Okabe and Ito 2008, "Color Universal Design": distinguishable by the colour-blind.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
GREY = "#888888"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)


def titled(title: str, simulated: bool) -> str:
    """A title that says where the market is simulated."""
    return f"{title} (simulated market)" if simulated else title


def stroke(colour: str, name: str) -> dict[str, Any]:
    """Line style of an architecture; the baseline's is always grey and dashed."""
    return {"color": GREY, "width": 2, "dash": "dash"} if name == BASELINE else {"color": colour, "width": 2}


def line(name: str, points: tuple[Iterable[Any], Iterable[float]], style: dict[str, Any], hover: str) -> Trace:
    """A line through points, x and y, with a hole where y is not a number; ``hover`` is Plotly's template."""
    x, y = list(points[0]), numbers(points[1])
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": style, "hovertemplate": hover}


def numbers(values: Iterable[float]) -> list[float | None]:
    """Null where there is no number: JSON knows no NaN."""
    return [float(value) if np.isfinite(value) else None for value in values]


def stamps(moments: NDArray[np.datetime64]) -> list[str]:
    """Such as ``2025-05-29 01:00``, which Plotly reads as a time."""
    return [str(moment).replace("T", " ") for moment in moments.astype("datetime64[m]")]


def axis(title: str, **options: Any) -> dict[str, Any]:
    """An axis with a grid that is visible on a dark background and on a light one."""
    grid = dict.fromkeys(("gridcolor", "zerolinecolor"), "rgba(128, 128, 128, 0.25)")
    return {"title": {"text": title, "font": {"size": 12}}, **grid, "automargin": True, **options}


def horizons() -> dict[str, Any]:
    """The axis of the hours ahead."""
    return axis("horizon, hours", tickvals=[1, 6, 12, 18, HORIZON])


def frame(title: str, x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    """The layout of a figure with one pair of axes."""
    legend = {"orientation": "h", "x": 0, "y": -0.28, "yanchor": "top"}
    return {"title": {"text": title}, "xaxis": x, "yaxis": y, "legend": legend, "hovermode": "closest"}


def two_panels(title: str, left: Axes, right: Axes) -> dict[str, Any]:
    """The layout of a figure with two pairs of axes side by side; traces on the right are on ``x2`` and ``y2``."""
    panels = {
        "xaxis": {**left[0], "domain": [0, 0.56]},
        "xaxis2": {**right[0], "domain": [0.64, 1], "anchor": "y2"},
        "yaxis2": {**right[1], "anchor": "x2"},
    }
    return {**frame(title, *left), **panels}


def empty_figure(title: str) -> Figure:
    """A figure for a pair with too few candles for the folds."""
    text = "nothing to show yet: there are too few candles for the folds"
    note = {"text": text, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
    hidden = {"visible": False}
    return {"data": [], "layout": {**frame(title, hidden, hidden), "annotations": [note]}}
