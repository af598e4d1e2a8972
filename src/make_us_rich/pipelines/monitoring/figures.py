"""What a person looks at: live skill and coverage, the PIT histogram, and drift."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.domain.live import Drift, LiveWindow
from make_us_rich.plotting import BLUE, COLOURS, GREY, VERMILION, Figure, Trace, axis, frame, horizons, line, two_panels

_ON_THE_RIGHT = {"xaxis": "x2", "yaxis": "y2"}
_NOMINAL = (50, 80, 90)
_SHOWN = 15
"""Features, the most drifted ones."""


def draw_live(live_windows: tuple[LiveWindow, ...]) -> Figure:
    """Live skill against the baseline, and coverage, by horizon.

    Args:
        live_windows: Scores over several numbers of days.
    """
    last = max(live_windows, key=lambda window: window.days)
    title = f"Live forecasts: skill and coverage, {last.forecasts} issued in {last.days} days"
    traces = [_skill(window, COLOURS[at % len(COLOURS)]) for at, window in enumerate(live_windows)]
    right = [_coverage(last, nominal, colour) for nominal, colour in zip(_NOMINAL, COLOURS, strict=False)]
    layout = two_panels(title, (horizons(), axis("CRPS skill, %")), (horizons(), axis("outcomes within, %")))
    return {"data": [*traces, *right], "layout": {**layout, "shapes": list(_nominal_lines())}}


def draw_pit(live_windows: tuple[LiveWindow, ...]) -> Figure:
    """Where the outcomes fell among the quantiles; what is level is calibrated.

    Args:
        live_windows: Scores over several numbers of days; the longest is drawn.
    """
    last = max(live_windows, key=lambda window: window.days)
    borders = [0.0, *QUANTILE_LEVELS, 1.0]
    widths = [high - low for low, high in pairwise(borders)]
    centres = [(high + low) / 2 for low, high in pairwise(borders)]
    heights = [share / width for share, width in zip(last.whole.pit, widths, strict=False)]
    bars = {"type": "bar", "name": "outcomes", "x": centres, "y": heights, "width": widths, "marker": {"color": BLUE}}
    hover = "around %{x:.2f}: %{y:.2f} times as many as forecast"
    level = line("as forecast", ([0, 1], [1.0, 1.0]), {"color": GREY, "width": 2, "dash": "dash"}, "as forecast")
    title = f"Live forecasts: PIT histogram, {last.whole.forecasts} forecasts, all horizons"
    layout = frame(title, axis("probability that was forecast"), axis("density of the outcomes"))
    return {"data": [{**bars, "hovertemplate": hover}, level], "layout": layout}


def draw_drift(drift: dict[str, Any]) -> Figure:
    """Population stability index of the features that have drifted most.

    Args:
        drift: What ``Drift`` reads.
    """
    found = Drift.model_validate(drift)
    shown = found.features[:_SHOWN][::-1]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [each.psi for each in shown],
        "y": [each.name for each in shown],
        "customdata": [[each.ks, 100 * each.beyond] for each in shown],
        "marker": {"color": VERMILION if found.drifted else BLUE},
        "hovertemplate": "%{y}: index %{x:.2f}, distance %{customdata[0]:.2f}; %{customdata[1]:.0f} % of the training"
        " stretches are as far off<extra></extra>",
    }
    title = f"Inputs: {'drifted' if found.drifted else 'not drifted'}"
    return {"data": [bars], "layout": frame(title, axis("population stability index"), axis(""))}


def _skill(window: LiveWindow, colour: str) -> Trace:
    rows = [row for row in window.horizons if row.skill is not None]
    points = [row.horizon for row in rows], [100 * (row.skill or 0.0) for row in rows]
    return line(f"skill, {window.days} days", points, {"color": colour, "width": 2}, "%{x} h: %{y:+.1f} %")


def _coverage(window: LiveWindow, nominal: int, colour: str) -> Trace:
    shares = {row.horizon: getattr(row, f"coverage_{nominal}") for row in window.horizons}
    points = (
        [at for at, share in shares.items() if share is not None],
        [100 * s for s in shares.values() if s is not None],
    )
    style = {"color": colour, "width": 2}
    return line(f"{nominal} % interval", points, style, "%{x} h: %{y:.1f} %") | _ON_THE_RIGHT


def _nominal_lines() -> Iterator[dict[str, Any]]:
    for nominal in _NOMINAL:
        across = {"xref": "x2 domain", "x0": 0, "x1": 1, "yref": "y2", "y0": nominal, "y1": nominal}
        yield {"type": "line", **across, "line": {"color": GREY, "width": 1, "dash": "dot"}}
