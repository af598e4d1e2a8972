"""Candlesticks, and the hours that have none."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from plotly import graph_objects as go

from interface.api_answers import Candles
from interface.charts.canvas import stamps
from interface.numbers import price
from interface.palette import Palette, washed
from make_us_rich.domain.klines import HOUR


def candlesticks(candles: Candles, unit: str, palette: Palette) -> go.Candlestick:
    """A candle an hour, at the moment at which it closed: what is forecast is the close, so both stand at one moment.

    Args:
        candles: Closed candles.
        unit: Quote currency.
        palette: Colours.
    """
    return go.Candlestick(
        x=stamps(moment + HOUR for moment in candles.timestamp),
        open=candles.open,
        high=candles.high,
        low=candles.low,
        close=candles.close,
        name="price",
        showlegend=False,
        increasing={"line": {"color": palette.rising, "width": 1}, "fillcolor": palette.ground},
        decreasing={"line": {"color": palette.falling, "width": 1}, "fillcolor": palette.falling},
        hoverinfo="x+text",
        hovertext=[_hover(prices, unit) for prices in _rows(candles)],
    )


def gaps(moments: list[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Spans without candles, from the last close before each to the first close after it.

    Args:
        moments: When candles opened, ascending.
    """
    for before, after in pairwise(moments):
        if after - before > HOUR:
            yield before + HOUR, after + HOUR


def shade_gaps(figure: go.Figure, candles: Candles, palette: Palette) -> None:
    """Shade the spans without candles, so that nobody takes them for an hour in which nothing moved."""
    for start, end in gaps(candles.timestamp):
        left, right = stamps((start, end))
        figure.add_vrect(left, right, fillcolor=washed(palette.muted, 0.14), line_width=0, layer="below")
        figure.add_annotation(
            text="no data", x=left, y=0, yref="paper", xanchor="left", yanchor="bottom", showarrow=False, textangle=-90
        )


def _rows(candles: Candles) -> Iterator[tuple[float, ...]]:
    return zip(candles.open, candles.high, candles.low, candles.close, candles.volume, strict=True)


def _hover(row: tuple[float, ...], unit: str) -> str:
    opened, high, low, close, volume = row
    return (
        f"<b>{price(close)} {unit}</b><br>open {price(opened)}<br>high {price(high)}<br>low {price(low)}"
        f"<br>volume {volume:,.6g}"
    )
