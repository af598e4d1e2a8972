"""The chart of the forecast page: candles, the fan, the baseline beside it, and the past forecasts' record."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from plotly import graph_objects as go

from interface.api_answers import Candles, Fan, PastForecasts
from interface.charts.candles import candlesticks, shade_gaps
from interface.charts.canvas import canvas, stamps
from interface.charts.fan import Cone, bands, median, outline
from interface.charts.past import misses, outcomes, ribbon
from interface.numbers import between, price, quote
from interface.palette import Palette
from make_us_rich.domain.klines import HOUR
from make_us_rich.evaluation.table import INTERVALS

HEIGHT = 500
_ROOM = 4 * HOUR
"""Between the last thing drawn and the axis of prices."""

_LAYOUT: dict[str, Any] = {
    "hovermode": "x unified",
    "xaxis": {"rangeslider": {"visible": False}, "hoverformat": "%a %d %b %Y, %H:%M UTC", "type": "date"},
    "yaxis": {"side": "right", "tickformat": ",~g"},
}


@dataclass(frozen=True)
class Scene:
    """What is drawn.

    Attributes:
        pair: Name such as ``btc_usdt``.
        candles: Closed candles, oldest first; gaps are gaps.
        last_close: Quote currency.
        fan: The chosen model's forecast, and its name.
        compared: The fan drawn as an outline, and its name; None for none.
        past: Past forecasts at the chosen horizon; None for none.
        horizon: Chosen hours ahead.
    """

    pair: str
    candles: Candles
    last_close: float
    fan: tuple[str, Fan]
    compared: tuple[str, Fan] | None
    past: PastForecasts | None
    horizon: int


def candles_with_fan(scene: Scene, palette: Palette, *, drag: bool = True) -> go.Figure:
    """The figure.

    Args:
        scene: What is drawn.
        palette: Colours.
        drag: A drag over the chart zooms; otherwise it scrolls the page, which a finger means by it.
    """
    unit = quote(scene.pair)
    figure = canvas(palette, HEIGHT, uirevision=_revision(scene), dragmode="zoom" if drag else False, **_LAYOUT)
    # To find margins that fit costs a third of the drawing. Where the page is narrow the legend has two lines.
    figure.update_layout(margin_r=_room_for(scene.last_close), margin_b=92)
    figure.update_layout(xaxis_automargin=False, yaxis_automargin=False)
    figure.add_traces(_record(scene, unit, palette))
    figure.add_traces(_forecast(scene, unit, palette))
    figure.add_trace(candlesticks(scene.candles, unit, palette))
    if scene.past:
        figure.add_trace(misses(scene.past, palette))
    shade_gaps(figure, scene.candles, palette)
    _mark_last_close(figure, scene, palette)
    _mark_horizon(figure, scene, palette)
    _name_unit(figure, unit)
    _look_at(figure, scene)
    return figure


def _record(scene: Scene, unit: str, palette: Palette) -> list[go.Scatter]:
    if not scene.past or not scene.past.forecasts:
        return []
    return [ribbon(scene.past, palette), outcomes(scene.past, unit, palette)]


def _forecast(scene: Scene, unit: str, palette: Palette) -> list[go.Scatter]:
    name, fan = scene.fan
    cone = Cone(fan, scene.last_close, name, unit)
    drawn = [*bands(cone, palette), median(cone, palette)]
    if scene.compared:
        other, outer = scene.compared
        drawn += outline(Cone(outer, scene.last_close, other, unit), palette)
    return drawn


def _revision(scene: Scene) -> str:
    """A zoom is kept as long as this is the same."""
    return f"{scene.pair} {len(scene.candles.timestamp) // 24}"


def _mark_last_close(figure: go.Figure, scene: Scene, palette: Palette) -> None:
    """The level from which the fan opens, and its price at the axis."""
    start, end = stamps((_issued(scene), scene.fan[1].closes_at[-1]))
    level = {"y0": scene.last_close, "y1": scene.last_close, "x0": start, "x1": end}
    figure.add_shape(type="line", **level, line={"color": palette.ink, "width": 1, "dash": "dot"})
    figure.add_annotation(
        text=f"<b>{price(scene.last_close)}</b>",
        x=1,
        xref="paper",
        xanchor="left",
        y=scene.last_close,
        showarrow=False,
        bgcolor=palette.ink,
        font={"color": palette.ground},
    )


def _mark_horizon(figure: go.Figure, scene: Scene, palette: Palette) -> None:
    """The 80 % interval at the chosen horizon, its ends in numbers."""
    fan, hour = scene.fan[1], scene.horizon - 1
    moment = stamps([fan.closes_at[hour]])[0]
    ends = [fan.quantiles[hour][fan.levels.index(level)] for level in INTERVALS[80]]
    ink = {"color": palette.ink, "width": 2}
    figure.add_shape(type="line", x0=moment, x1=moment, y0=ends[0], y1=ends[1], line=ink)
    side = "right" if scene.horizon >= len(fan.closes_at) // 2 else "left"
    for end, text, above in zip(ends, between(*ends), ("top", "bottom"), strict=True):
        label = {"text": f"<b>{text}</b>", "x": moment, "y": end, "xanchor": side, "yanchor": above}
        figure.add_annotation(**label, showarrow=False, font={"color": palette.ink})


def _room_for(last_close: float) -> int:
    """Pixels that the last price takes at the axis."""
    return 14 + 8 * len(price(last_close))


def _name_unit(figure: go.Figure, unit: str) -> None:
    """Below the prices, where the buttons do not cover it."""
    corner = {"x": 1, "y": 0, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "top"}
    figure.add_annotation(text=unit, **corner, showarrow=False)


def _issued(scene: Scene) -> datetime:
    return scene.fan[1].closes_at[0] - HOUR


def _look_at(figure: go.Figure, scene: Scene) -> None:
    """Everything, by what Plotly finds itself: ends that are given, and others with each candle, would end a zoom."""
    first = scene.candles.timestamp[0] if scene.candles.timestamp else _issued(scene)
    ends = stamps((first, scene.fan[1].closes_at[-1] + _ROOM))
    figure.update_xaxes(autorangeoptions={"include": ends})
