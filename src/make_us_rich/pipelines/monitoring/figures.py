"""Figures of the monitoring: live skill and coverage, the PIT histogram, and drift."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.domain.live import Drift, WindowScores
from make_us_rich.plotting import BLUE, COLOURS, GREY, VERMILION, Figure, Trace, axis, frame, horizons, line, two_panels

_TARGET_COVERAGES = (50, 80, 90)
_MAX_FEATURES = 15


def plot_live_skill(live_windows: tuple[WindowScores, ...]) -> Figure:
    """Skill against the baseline for every window, and coverage for the longest one, by horizon."""
    longest = max(live_windows, key=lambda window: window.days)
    title = (
        f"Live forecasts of {longest.architecture or 'no model'}: skill and coverage,"
        f" {longest.n_forecasts} issued in {longest.days} days"
    )
    traces = [
        _points(f"skill, {window.days} days", window, "skill", COLOURS[at % len(COLOURS)], "%{x} h: %{y:+.1f} %")
        for at, window in enumerate(live_windows)
    ]
    targets = []
    dotted = {"color": GREY, "width": 1, "dash": "dot"}
    for target, colour in zip(_TARGET_COVERAGES, COLOURS, strict=False):
        trace = _points(f"{target} % interval", longest, f"coverage_{target}", colour, "%{x} h: %{y:.1f} %")
        traces.append({**trace, "xaxis": "x2", "yaxis": "y2"})
        ends = {"xref": "x2 domain", "x0": 0, "x1": 1, "yref": "y2", "y0": target, "y1": target}
        targets.append({"type": "line", **ends, "line": dotted})
    layout = two_panels(title, (horizons(), axis("CRPS skill, %")), (horizons(), axis("outcomes within, %")))
    return {"data": traces, "layout": {**layout, "shapes": targets}}


def plot_pit(live_windows: tuple[WindowScores, ...]) -> Figure:
    """The PIT histogram of the longest window; a calibrated forecast has level bars."""
    longest = max(live_windows, key=lambda window: window.days)
    borders = [0.0, *QUANTILE_LEVELS, 1.0]
    widths = [high - low for low, high in pairwise(borders)]
    bars = {
        "type": "bar",
        "name": "outcomes",
        "x": [(high + low) / 2 for low, high in pairwise(borders)],
        "y": [share / width for share, width in zip(longest.overall.pit, widths, strict=False)],
        "width": widths,
        "marker": {"color": BLUE},
        "hovertemplate": "around %{x:.2f}: %{y:.2f} times as many as forecast",
    }
    level = line("as forecast", ([0, 1], [1.0, 1.0]), {"color": GREY, "width": 2, "dash": "dash"}, "as forecast")
    title = f"Live forecasts: PIT histogram, {longest.overall.n_outcomes} forecasts, all horizons"
    layout = frame(title, axis("forecast probability"), axis("density of the outcomes"))
    return {"data": [bars, level], "layout": layout}


def plot_drift(drift: dict[str, Any]) -> Figure:
    """Population stability index of the most drifted features of a ``Drift`` as a dictionary."""
    found = Drift.model_validate(drift)
    shown = found.features[:_MAX_FEATURES][::-1]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [each.psi for each in shown],
        "y": [each.name for each in shown],
        "customdata": [[each.ks, 100 * each.p_value] for each in shown],
        "marker": {"color": VERMILION if found.drifted else BLUE},
        "hovertemplate": "%{y}: index %{x:.2f}, distance %{customdata[0]:.2f}; %{customdata[1]:.0f} % of the training"
        " windows are as far off<extra></extra>",
    }
    title = f"Inputs: {'drifted' if found.drifted else 'not drifted'}"
    return {"data": [bars], "layout": frame(title, axis("population stability index"), axis(""))}


def _points(name: str, window: WindowScores, score: str, colour: str, hover: str) -> Trace:
    found = {row.horizon: getattr(row, score) for row in window.horizons}
    known = {horizon: 100 * value for horizon, value in found.items() if value is not None}
    return line(name, (list(known), list(known.values())), {"color": colour, "width": 2}, hover)
