"""The forecast chart: candles, the fan of the next hours, the fan compared with it, and past forecasts."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from plotly import graph_objects as go

from interface.charts.chart_data import NamedFan
from interface.charts.style import Palette, new_figure, timestamps, with_alpha
from interface.formatting import NBSP, amount, base, interval, interval_ends, price, quote
from make_us_rich.backtest.score_table import INTERVALS
from make_us_rich.domain.klines import HOUR

SIMULATED = "simulated market, no real prices"
_OHLC = ["open", "high", "low", "close"]
_OPACITIES = {90: 0.14, 80: 0.2, 50: 0.3}  # The intervals overlap: the innermost is the darkest.


@dataclass(frozen=True)
class PriceLine:
    """A price that may be reached: its name, and how many hours ahead it is drawn."""

    name: str
    price: float
    hours: int


@dataclass(frozen=True)
class ForecastChart:
    """Content of the chart."""

    pair: str
    candles: pd.DataFrame  # closed candles, oldest first
    fan: NamedFan  # the forecast that is filled
    compared: NamedFan | None  # the forecast that is outlined; None for none
    past: pd.DataFrame | None  # see ``chart_data.past_intervals``; None for none
    horizon: int  # selected hours ahead
    simulated: bool = False  # whether the candles come from a simulated market
    lines: tuple[PriceLine, ...] = ()


def forecast_figure(chart: ForecastChart, palette: Palette, *, drag: bool = True) -> go.Figure:
    """Draw the chart; a drag zooms it, or without ``drag`` scrolls the page, as on a phone."""
    unit = quote(chart.pair)
    figure = new_figure(
        palette,
        500,
        hovermode="x unified",
        # Automatic margins take a third of the drawing time.
        xaxis_automargin=False,
        yaxis_automargin=False,
        margin_b=92,
        margin_r=14 + 8 * len(price(chart.fan.last_close)),
        xaxis={"rangeslider": {"visible": False}, "hoverformat": "%a %d %b %Y, %H:%M UTC", "type": "date"},
        yaxis={"side": "right", "tickformat": ",~g"},
        # The zoom is kept as long as this value is the same.
        uirevision=f"{chart.pair} {len(chart.candles) // 24}",
        dragmode="zoom" if drag else False,
    )
    past = [] if chart.past is None else _past_traces(chart.past, chart.horizon, unit, palette)
    figure.add_traces(past[:2])
    figure.add_traces(list(_fan_traces(chart.fan, unit, palette)))
    if chart.compared:
        figure.add_traces(list(_outline(chart.compared, palette)))
    figure.add_trace(_candlesticks(chart.candles, base(chart.pair), unit, palette))
    for line in chart.lines:
        _draw_line(figure, line, chart.fan.moments, palette)
    figure.add_traces(past[2:])
    _shade_gaps(figure, chart.candles, palette)
    _annotate(figure, chart, palette)
    # A fixed range would end a zoom with each new candle; Plotly finds the range and includes these ends.
    ends = timestamps((chart.candles["timestamp"].iloc[0], chart.fan.fan.closes_at[-1] + 4 * HOUR))
    return figure.update_xaxes(autorangeoptions={"include": ends})


def _fan_traces(fan: NamedFan, unit: str, palette: Palette) -> Iterator[go.Scatter]:
    """The 90, 80 and 50 % intervals as polygons, and the median line, which is hidden where it is the last close.

    One legend entry toggles all of them. The median line carries the hover text of each hour.
    """
    moments, prices = fan.moments, fan.prices(0.5)
    for coverage, opacity in _OPACITIES.items():
        low, high = (fan.prices(level) for level in INTERVALS[coverage])
        yield go.Scatter(
            x=moments + moments[::-1],
            y=[*high, *low[::-1]],
            fill="toself",
            fillcolor=with_alpha(palette.fan, opacity),
            line={"width": 0},
            mode="lines",
            name=fan.name,
            legendgroup="fan",
            showlegend=coverage == 50,
            hoverinfo="skip",
            meta=coverage,
        )
    texts = []
    for hour in range(1, len(prices)):
        ranges = [f"{each}{NBSP}%: {interval(*fan.interval(each, hour))}" for each in INTERVALS]
        texts.append("<br>".join([f"<b>{fan.name}, {hour}{NBSP}h ahead</b> ({unit})", *ranges]))
    yield go.Scatter(
        x=moments[1:],
        y=prices[1:],
        mode="lines",
        line={"color": palette.fan, "width": 0 if np.allclose(prices, prices[0], rtol=1e-9, atol=0) else 2},
        legendgroup="fan",
        showlegend=False,
        name=fan.name,
        hoverinfo="x+text",
        hovertext=texts,
    )


def _outline(fan: NamedFan, palette: Palette) -> Iterator[go.Scatter]:
    texts = [f"{fan.name} 90{NBSP}%: {interval(*fan.interval(90, hour))}" for hour in range(len(fan.moments))]
    for number, level in enumerate(INTERVALS[90]):
        yield go.Scatter(
            x=fan.moments,
            y=fan.prices(level),
            mode="lines",
            line={"color": palette.baseline, "width": 1.5, "dash": "dash"},
            name=fan.name,
            legendgroup="outline",
            showlegend=number == 0,
            hoverinfo="skip" if number else "x+text",
            hovertext=None if number else texts,
        )


def _annotate(figure: go.Figure, chart: ForecastChart, palette: Palette) -> None:
    """Mark the last close, the 80 % interval at the selected horizon, the quote currency, and a simulated market."""
    fan, moments = chart.fan, chart.fan.moments
    close, moment, ends = fan.last_close, moments[chart.horizon], fan.interval(80, chart.horizon)
    dotted, solid = {"color": palette.ink, "width": 1, "dash": "dot"}, {"color": palette.ink, "width": 2}
    figure.add_shape(type="line", x0=moments[0], x1=moments[-1], y0=close, y1=close, line=dotted)
    figure.add_shape(type="line", x0=moment, x1=moment, y0=ends[0], y1=ends[1], line=solid)
    inverse = {"bgcolor": palette.ink, "font": {"color": palette.background}}
    axis = {"x": 1, "xref": "paper", "xanchor": "left", "showarrow": False}
    figure.add_annotation(text=f"<b>{price(close)}</b>", y=close, **axis, **inverse)
    figure.add_annotation(text=quote(chart.pair), y=1, yref="paper", yanchor="bottom", **axis)
    side = "right" if chart.horizon >= len(fan.fan.closes_at) // 2 else "left"
    for end, text, above in zip(ends, interval_ends(*ends), ("top", "bottom"), strict=True):
        place = {"x": moment, "y": end, "xanchor": side, "yanchor": above, "showarrow": False}
        figure.add_annotation(text=f"<b>{text}</b>", **place, font={"color": palette.ink})
    if chart.simulated:
        corner = {"x": 0, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
        badge = {**inverse, "bgcolor": palette.falling, "borderpad": 3, "showarrow": False}
        figure.add_annotation(text=f"<b>{SIMULATED}</b>", **corner, **badge)


def _draw_line(figure: go.Figure, line: PriceLine, moments: list[str], palette: Palette) -> None:
    figure.add_scatter(
        x=[moments[0], moments[line.hours]],
        y=[line.price, line.price],
        mode="lines",
        line={"color": palette.ink, "width": 2, "dash": "longdash"},
        showlegend=False,
        hoverinfo="skip",
        name=line.name,
    )
    label = {"x": moments[0], "y": line.price, "xanchor": "right", "showarrow": False, "bgcolor": palette.background}
    figure.add_annotation(text=f"<b>{line.name} {price(line.price)}</b>", **label, font={"color": palette.ink})


def _candlesticks(candles: pd.DataFrame, base: str, quote: str, palette: Palette) -> go.Candlestick:
    """Hourly candles, each at the moment of its close, so that a close and the forecast of it share a moment."""
    return go.Candlestick(
        x=timestamps(candles["timestamp"] + HOUR),
        **{name: candles[name].tolist() for name in _OHLC},
        name="price",
        showlegend=False,
        increasing={"line": {"color": palette.rising, "width": 1}, "fillcolor": palette.background},
        decreasing={"line": {"color": palette.falling, "width": 1}, "fillcolor": palette.falling},
        hoverinfo="x+text",
        hovertext=[
            f"<b>{price(closed)} {quote}</b><br>open {price(opened)}<br>high {price(high)}<br>low {price(low)}"
            f"<br>volume {amount(volume)} {base}"
            for opened, high, low, closed, volume in candles[[*_OHLC, "volume"]].to_numpy()
        ],
    )


def _shade_gaps(figure: go.Figure, candles: pd.DataFrame, palette: Palette) -> None:
    """Shade hours without candles, from the last close before a gap to the first close after it."""
    opened = candles["timestamp"]
    for at in candles.index[opened.diff() > HOUR]:
        start, end = timestamps((opened[at - 1] + HOUR, opened[at] + HOUR))
        figure.add_vrect(start, end, fillcolor=with_alpha(palette.muted, 0.14), line_width=0, layer="below")
        bottom = {"x": start, "y": 0, "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
        figure.add_annotation(text="no data", **bottom, showarrow=False, textangle=-90)


def _past_traces(past: pd.DataFrame, horizon: int, quote: str, palette: Palette) -> list[go.Scatter]:
    """The 80 % intervals of ``chart_data.past_intervals``, the outcomes, and a cross for each outcome outside."""
    if past.empty:
        return []
    band: list[tuple[str | None, float | None]] = []
    line: list[tuple[str | None, float | None, str | None]] = []
    for _, run in past.groupby("run"):  # One closed polygon and one line for each run of consecutive hours.
        at, lows, highs = timestamps(run["closes_at"]), run["low"].tolist(), run["high"].tolist()
        band += [*zip(at, highs, strict=True), *zip(at[::-1], lows[::-1], strict=True), (at[0], highs[0]), (None, None)]
        for moment, low, high, outcome, missed in zip(at, lows, highs, run["outcome"], run["missed"], strict=True):
            text = f"forecast {horizon}{NBSP}h before: 80{NBSP}% {interval(low, high)};"
            text += f" outcome {price(outcome)} {quote}, {'outside' if missed else 'inside'}"
            line.append((moment, outcome, text))
        line.append((None, None, None))
    missed = past[past["missed"]]
    return [
        go.Scatter(
            x=[x for x, _ in band],
            y=[y for _, y in band],
            fill="toself",
            fillcolor=with_alpha(palette.past, 0.16),
            line={"color": with_alpha(palette.past, 0.4), "width": 1},
            mode="lines",
            name=f"past 80{NBSP}%",
            legendgroup="past",
            hoverinfo="skip",
        ),
        go.Scatter(
            x=[x for x, _, _ in line],
            y=[y for _, y, _ in line],
            hovertext=[text for *_, text in line],
            mode="lines",
            line={"color": palette.past, "width": 1},
            name="outcome",
            legendgroup="past",
            showlegend=False,
            hoverinfo="x+text",
        ),
        go.Scatter(
            x=timestamps(missed["closes_at"]),
            y=missed["outcome"].tolist(),
            mode="markers",
            marker={"symbol": "x-thin", "size": 6, "line": {"color": palette.ink, "width": 1.5}},
            name=f"missed {len(missed)} of {len(past)}",
            hoverinfo="skip",
        ),
    ]
