"""What a position may gain or lose, as a histogram and in words."""

from collections.abc import Iterable

import numpy as np
from plotly import graph_objects as go

from interface.charts.style import Palette, new_figure
from interface.formatting import NBSP, count, money, percent
from make_us_rich.domain.risk import Floats, TailRisk

_BINS = 40


def result_figure(gains: Floats, tail: Iterable[TailRisk], unit: str, palette: Palette) -> go.Figure:
    """Histogram of equally likely gains in ``unit``, losses in another colour, with the value at risk of each level."""
    width = float(np.ptp(gains)) / _BINS or 1.0
    # An edge is at zero, so that no bin holds gains and losses.
    edges = np.arange(np.floor(gains.min() / width), np.floor(gains.max() / width) + 2) * width
    shares, _ = np.histogram(gains, edges, weights=np.full(len(gains), 100 / len(gains)))
    centres = (edges[:-1] + edges[1:]) / 2
    figure = new_figure(palette, 320, xaxis_title=f"result, {unit}", yaxis_title=f"of the scenarios,{NBSP}%")
    figure.add_bar(
        x=centres.tolist(),
        y=shares.round(2).tolist(),
        width=width,
        marker={"color": [palette.fan if centre >= 0 else palette.falling for centre in centres], "line_width": 0},
        hoverinfo="text",
        hovertext=[
            f"{money(low)} to {money(high)} {unit}: {percent(share / 100)}"
            for low, high, share in zip(edges[:-1], edges[1:], shares, strict=True)
        ],
        showlegend=False,
    )
    for number, each in enumerate(tail):
        figure.add_vline(-each.value_at_risk, line={"color": palette.ink, "width": 1.5, "dash": "dash"})
        place = {"x": -each.value_at_risk, "y": 1 - 0.1 * number, "yref": "paper", "xanchor": "left"}
        text, colours = f"1 in {round(1 / (1 - each.level))}", {"color": palette.ink}
        figure.add_annotation(text=text, showarrow=False, **place, font=colours, bgcolor=palette.background)
    return figure


def describe_tail(each: TailRisk, hours: int, unit: str) -> str:
    """The value at risk of a level, and the mean loss beyond it, as a sentence."""
    times, spans = round(1 / (1 - each.level)), f"such spans of {count(hours, 'hour')}"
    if each.value_at_risk < 0:
        return f"In {times - 1} of {times} {spans} you gain {money(-each.value_at_risk)} {unit} or more."
    mean = f"on average {money(each.expected_shortfall)} {unit}"
    return f"In one of {times} {spans} you lose {money(each.value_at_risk)} {unit} or more, {mean}."


def describe_middle(gains: Floats, unit: str) -> str:
    """Where the middle 80 % of the results are, as a sentence."""
    low, high = np.quantile(gains, (0.1, 0.9))
    return f"Eight of ten results are between {money(low)} and {money(high)} {unit}."
