"""The gate's verdicts over time: who competed, how well, and who was published."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from plotly import graph_objects as go

from interface.charts.canvas import canvas, nothing, stamps
from interface.numbers import THIN, percent, utc
from interface.palette import Palette
from interface.words import member_names

_WIDTH = 60


@dataclass(frozen=True)
class Ruling:
    """The verdict on one challenger of one run.

    Attributes:
        at: When, UTC.
        version: Of the run.
        architecture: The challenger's.
        published: Whether it became the champion.
        reason: The gate's, in words.
        skill: Share of the baseline's error that is gone; None where it could not be judged.
        p: Of the test against the baseline.
        folds_won: Of ``folds``.
        folds: All of them.
    """

    at: datetime
    version: str
    architecture: str
    published: bool
    reason: str
    skill: float | None
    p: float | None
    folds_won: int | None
    folds: int | None


def timeline(rulings: Sequence[Ruling], palette: Palette) -> go.Figure:
    """A mark a verdict: a filled disc for a published challenger, a cross for a refused one; higher is more skill.

    What could not be judged lies on the baseline's line.
    """
    if not rulings:
        return nothing(palette, "No verdict yet")
    figure = canvas(palette, 320, yaxis_title=f"better than the baseline,{THIN}%", hovermode="closest")
    for number, name in enumerate(sorted({each.architecture for each in rulings})):
        chosen = [each for each in rulings if each.architecture == name]
        figure.add_trace(_marks(chosen, palette.series[number % len(palette.series)], palette))
    figure.add_hline(0, line={"color": palette.baseline, "width": 1.5, "dash": "dash"}, layer="below")
    return figure.update_xaxes(type="date", hoverformat="%d %b %Y, %H:%M UTC")


def _marks(rulings: Sequence[Ruling], colour: str, palette: Palette) -> go.Scatter:
    return go.Scatter(
        x=stamps(each.at for each in rulings),
        y=[round(100 * (each.skill or 0.0), 2) for each in rulings],
        name=member_names(rulings[0].architecture),
        mode="markers",
        marker={
            "color": colour,
            "opacity": 1,
            "size": [13 if each.published else 9 for each in rulings],
            "symbol": ["circle" if each.published else "x-thin" for each in rulings],
            "line": {"width": [1 if each.published else 2.5 for each in rulings], "color": colour},
        },
        hoverinfo="text",
        hovertext=[_hover(each) for each in rulings],
        hoverlabel={"align": "left", "bordercolor": colour, "font": {"color": palette.ink}},
    )


def _hover(each: Ruling) -> str:
    verdict = "published" if each.published else "not published"
    skill = "" if each.skill is None else f", skill {percent(each.skill, signed=True)}"
    reason = "<br>".join(textwrap.wrap(each.reason, _WIDTH))
    return f"<b>{member_names(each.architecture)}: {verdict}</b>{skill}<br>{utc(each.at)}<br>{reason}"
