"""Colours, margins, axes and fonts that all charts share.

The colours derive from Okabe and Ito 2008, "Color Universal Design", and stay distinguishable for colour-blind readers
on a light and on a dark background. No meaning depends on colour alone: falling candles are filled and rising ones
hollow, the baseline is dashed, a miss is a cross.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from plotly import graph_objects as go

# A font of every machine: an exported picture cannot load the page's, and labels of another width would overlap.
_FONT = "Arial, Helvetica, sans-serif"
_LEGEND = {"orientation": "h", "x": 0, "xanchor": "left", "y": 0, "yanchor": "bottom", "yref": "container"}
_CLEAR = "rgba(0,0,0,0)"


@dataclass(frozen=True)
class Palette:
    """Colours as ``#rrggbb``."""

    background: str
    ink: str  # text and emphasised lines
    muted: str  # axes and notes
    grid: str
    rising: str  # candles that close above their open
    falling: str  # candles that close below it, and scores worse than the baseline's
    fan: str  # the model's forecast, and scores better than the baseline's
    past: str  # past forecasts
    baseline: str  # the baseline, always dashed

    @property
    def series(self) -> tuple[str, ...]:
        """Colours of several models side by side."""
        return self.fan, self.falling, self.rising, self.past


LIGHT = Palette(
    background="#ffffff",
    ink="#1c2733",
    muted="#5b6875",
    grid="#e3e8ed",
    rising="#009e73",
    falling="#d55e00",
    fan="#0064a6",
    past="#8f3a6b",
    baseline="#6b7683",
)
DARK = Palette(
    background="#12181f",
    ink="#e6ebf0",
    muted="#9aa7b4",
    grid="#2a343f",
    rising="#5fe0ba",
    falling="#e8833f",
    fan="#4a9be0",
    past="#c06a9a",
    baseline="#9aa7b4",
)


def with_alpha(colour: str, opacity: float) -> str:
    """A ``#rrggbb`` colour with an opacity of 0 to 1, for CSS and Plotly."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity:g})"


def new_figure(palette: Palette, height: int, **layout: Any) -> go.Figure:
    """An empty figure in the page's colours, so many pixels high, with further Plotly layout options."""
    axis = {
        **dict.fromkeys(("gridcolor", "linecolor", "tickcolor"), palette.grid),
        "zeroline": False,
        "automargin": True,
        "title": {"font": {"size": 12}},
    }
    figure = go.Figure().update_layout(
        template="none",
        height=height,
        dragmode=False,  # Let a finger scroll the page.
        margin={"l": 8, "r": 8, "t": 34, "b": 64},
        paper_bgcolor=palette.background,
        plot_bgcolor=palette.background,
        font={"family": _FONT, "size": 12, "color": palette.muted},
        hoverlabel={"bgcolor": palette.background, "bordercolor": palette.muted, "font": {"color": palette.ink}},
        legend={**_LEGEND, "bgcolor": _CLEAR, "font": {"size": 11}},
        modebar={"bgcolor": _CLEAR, "color": palette.muted, "activecolor": palette.fan},
        xaxis=axis,
        yaxis=axis,
    )
    return figure.update_layout(**layout)


def empty_figure(palette: Palette, text: str) -> go.Figure:
    """A figure without data that says why."""
    place = {"xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
    figure = new_figure(palette, 160, xaxis_visible=False, yaxis_visible=False)
    return figure.add_annotation(text=text, showarrow=False, font={"size": 14}, **place)


def timestamps(moments: Iterable[datetime]) -> list[str]:
    """Moments in UTC as Plotly reads them: without a time zone, because it knows none."""
    return list(pd.to_datetime(list(moments), utc=True).strftime("%Y-%m-%d %H:%M"))
