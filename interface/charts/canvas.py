"""The ground that all charts share: margins, axes, fonts, and the legend below."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from plotly import graph_objects as go

from interface.palette import Palette

FONT = "Arial, Helvetica, sans-serif"
"""One that every machine has: a saved picture cannot load the page's, and texts of another width would overlap."""

_SMALL = 12


def canvas(palette: Palette, height: int, **layout: Any) -> go.Figure:
    """An empty figure in the colours of the page.

    Args:
        palette: Colours.
        height: Pixels.
        layout: What differs from the rest, as Plotly names it.
    """
    figure = go.Figure()
    figure.update_layout(
        height=height,
        dragmode=False,  # A finger that scrolls the page is not held up by a chart.
        margin={"l": 8, "r": 8, "t": 34, "b": 64},
        paper_bgcolor=palette.ground,
        plot_bgcolor=palette.ground,
        font={"family": FONT, "size": _SMALL, "color": palette.muted},
        hoverlabel={"bgcolor": palette.ground, "bordercolor": palette.muted, "font": {"color": palette.ink}},
        legend=_below(),
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": palette.muted, "activecolor": palette.fan},
    )
    figure.update_xaxes(**_axis(palette))
    figure.update_yaxes(**_axis(palette))
    # A template would bring colours of its own.
    figure.update_layout(template="none", **layout)
    return figure


def nothing(palette: Palette, text: str) -> go.Figure:
    """A chart of which there is nothing yet, and why."""
    figure = canvas(palette, 160)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(text=text, showarrow=False, font={"size": 14}, xref="paper", yref="paper", x=0.5, y=0.5)
    return figure


def stamps(moments: Iterable[datetime]) -> list[str]:
    """Moments as Plotly reads times: in UTC, and without a zone, of which it knows none."""
    return [f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" for moment in moments]


def _axis(palette: Palette) -> dict[str, Any]:
    return {
        "gridcolor": palette.grid,
        "linecolor": palette.grid,
        "tickcolor": palette.grid,
        "zeroline": False,
        "automargin": True,
        "title": {"font": {"size": _SMALL}},
    }


def _below() -> dict[str, Any]:
    return {
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "bottom",
        "yref": "container",
        "bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 11},
    }
