"""The forecast of the next hours: nested intervals, the line in their middle, and the baseline's outline."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose

from plotly import graph_objects as go

from interface.api_answers import Fan
from interface.charts.canvas import stamps
from interface.numbers import THIN, between
from interface.palette import Palette, washed
from make_us_rich.domain.klines import HOUR
from make_us_rich.evaluation.table import INTERVALS

_OPACITIES = {90: 0.14, 80: 0.2, 50: 0.3}
"""They lie on one another, so that the middle is the darkest."""


@dataclass(frozen=True)
class Cone:
    """A fan that opens at the last close.

    Attributes:
        fan: Quantiles of the closes of the next hours.
        last_close: Where it opens, quote currency.
        name: Of the model.
        unit: Quote currency.
    """

    fan: Fan
    last_close: float
    name: str
    unit: str

    @property
    def moments(self) -> list[str]:
        """Of the last close, and of the closes that are forecast, UTC."""
        return stamps([self.fan.closes_at[0] - HOUR, *self.fan.closes_at])

    def prices(self, level: float) -> list[float]:
        """The quantile of a level, after the last close."""
        at = self.fan.levels.index(level)
        return [self.last_close, *(row[at] for row in self.fan.quantiles)]


def bands(cone: Cone, palette: Palette) -> Iterator[go.Scatter]:
    """The 90, 80 and 50 % intervals, the widest first; one entry of the legend shows and hides them all."""
    moments = cone.moments
    for nominal, opacity in _OPACITIES.items():
        low, high = (cone.prices(level) for level in INTERVALS[nominal])
        yield go.Scatter(
            x=moments + moments[::-1],
            y=[*high, *low[::-1]],
            fill="toself",
            fillcolor=washed(palette.fan, opacity),
            line={"width": 0},
            mode="lines",
            name=cone.name,
            legendgroup="fan",
            showlegend=nominal == 50,
            hoverinfo="skip",
            meta=nominal,
        )


def median(cone: Cone, palette: Palette) -> go.Scatter:
    """The line in the middle; it carries what there is to tell about an hour."""
    return go.Scatter(
        x=cone.moments[1:],
        y=cone.prices(0.5)[1:],
        mode="lines",
        line={"color": palette.fan, "width": 2 if _moves(cone) else 0},
        legendgroup="fan",
        showlegend=False,
        name=cone.name,
        hoverinfo="x+text",
        hovertext=[_told(cone, hour) for hour in range(1, len(cone.fan.quantiles) + 1)],
    )


def outline(cone: Cone, palette: Palette) -> Iterator[go.Scatter]:
    """The ends of the 90 % interval as dashed lines, for comparison with another fan."""
    for number, level in enumerate(INTERVALS[90]):
        yield go.Scatter(
            x=cone.moments,
            y=cone.prices(level),
            mode="lines",
            line={"color": palette.baseline, "width": 1.5, "dash": "dash"},
            name=cone.name,
            legendgroup="outline",
            showlegend=number == 0,
            hoverinfo="skip" if number else "x+text",
            hovertext=None if number else [_outlined(cone, hour) for hour in range(len(cone.fan.quantiles) + 1)],
        )


def _moves(cone: Cone) -> bool:
    """Whether the middle is anything else than the last close, which has a line of its own."""
    return any(not isclose(price, cone.last_close, rel_tol=1e-9) for price in cone.prices(0.5))


def _told(cone: Cone, hour: int) -> str:
    rows = [f"<b>{cone.name}, {hour}{THIN}h ahead</b> ({cone.unit})"]
    return "<br>".join([*rows, *(_interval(cone, hour, nominal) for nominal in INTERVALS)])


def _outlined(cone: Cone, hour: int) -> str:
    return f"{cone.name} {_interval(cone, hour, 90)}"


def _interval(cone: Cone, hour: int, nominal: int) -> str:
    low, high = between(*(cone.prices(level)[hour] for level in INTERVALS[nominal]))
    return f"{nominal}{THIN}%: {low} – {high}"
