"""Forecasts of the past over what came true."""

from collections.abc import Iterator

from plotly import graph_objects as go

from interface.api_answers import PastForecast, PastForecasts
from interface.charts.canvas import stamps
from interface.numbers import THIN, between, price
from interface.palette import Palette, washed
from make_us_rich.domain.klines import HOUR
from make_us_rich.evaluation.table import INTERVALS

LOW, HIGH = INTERVALS[80]

Bounds = tuple[float, float]


def ribbon(past: PastForecasts, palette: Palette) -> go.Scatter:
    """The 80 % intervals that were forecast for each hour, torn where an hour has none."""
    x: list[str | None] = []
    y: list[float | None] = []
    for run in unbroken(past.forecasts):
        moments = stamps(each.closes_at for each in run)
        lows, highs = zip(*(bounds(past, each) for each in run), strict=True)
        x += [*moments, *moments[::-1], moments[0], None]
        y += [*highs, *lows[::-1], highs[0], None]
    return go.Scatter(
        x=x,
        y=y,
        fill="toself",
        fillcolor=washed(palette.past, 0.16),
        line={"color": washed(palette.past, 0.4), "width": 1},
        mode="lines",
        name=f"past 80{THIN}%",
        legendgroup="past",
        hoverinfo="skip",
    )


def outcomes(past: PastForecasts, unit: str, palette: Palette) -> go.Scatter:
    """What came true, a line torn at gaps; it tells what had been forecast."""
    rows = [each for run in unbroken(past.forecasts) for each in [*run, None]]
    return go.Scatter(
        x=[_stamp(each) for each in rows],
        y=[each and each.outcome for each in rows],
        mode="lines",
        line={"color": palette.past, "width": 1},
        legendgroup="past",
        showlegend=False,
        name="what came true",
        hoverinfo="x+text",
        hovertext=[each and _hover(past, each, unit) for each in rows],
    )


def misses(past: PastForecasts, palette: Palette) -> go.Scatter:
    """Outcomes outside the 80 % interval; one in five is as promised."""
    missed = [each for each in past.forecasts if held(past, each) is False]
    return go.Scatter(
        x=stamps(each.closes_at for each in missed),
        y=[each.outcome for each in missed],
        mode="markers",
        marker={"symbol": "x-thin", "size": 6, "line": {"color": palette.ink, "width": 1.5}},
        name=f"missed {len(missed)} of {len(come(past))}",
        hoverinfo="skip",
    )


def come(past: PastForecasts) -> list[PastForecast]:
    """Those whose outcome has come."""
    return [each for each in past.forecasts if each.outcome is not None]


def held(past: PastForecasts, each: PastForecast) -> bool | None:
    """Whether the outcome lies within the 80 % interval; None before it has come."""
    if each.outcome is None:
        return None
    low, high = bounds(past, each)
    return low <= each.outcome <= high


def bounds(past: PastForecasts, each: PastForecast) -> Bounds:
    """The ends of the 80 % interval, quote currency."""
    return each.quantiles[past.levels.index(LOW)], each.quantiles[past.levels.index(HIGH)]


def unbroken(forecasts: list[PastForecast]) -> Iterator[list[PastForecast]]:
    """Runs of forecasts of hours that follow one another."""
    run: list[PastForecast] = []
    for each in forecasts:
        if run and each.closes_at - run[-1].closes_at != HOUR:
            yield run
            run = []
        run.append(each)
    if run:
        yield run


def _stamp(each: PastForecast | None) -> str | None:
    return stamps([each.closes_at])[0] if each else None


def _hover(past: PastForecasts, each: PastForecast, unit: str) -> str:
    low, high = between(*bounds(past, each))
    came = "not yet known" if each.outcome is None else f"{price(each.outcome)} {unit}"
    verdict = {True: "within", False: "outside", None: ""}[held(past, each)]
    return f"{past.horizon}{THIN}h before: 80{THIN}% {low} – {high}; came {came} {verdict}".rstrip()
