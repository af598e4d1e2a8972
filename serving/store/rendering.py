"""The answer that is served for a forecast, as JSON."""

from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from make_us_rich.candles.times import datetimes
from make_us_rich.domain.forecast import Forecast
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.manifest import Verdict
from make_us_rich.domain.widths import Widths
from serving.schemas import CandleColumns, Edge, Fan, ForecastAnswer, Forecasted, WidthsUsed
from serving.store.served import Served

SHOWN = timedelta(days=5)
"""Candles that come with a forecast."""

_DIGITS = 10


def render(served: Served, forecast: Forecast, candles: pd.DataFrame) -> bytes:
    """What does not depend on the moment at which it is asked for, without the opening brace."""
    answer = Forecasted(pair=forecast.pair, data=_columns(candles), forecast=_forecast(served, forecast))
    return answer.model_dump_json().encode()[1:]


def rounded(prices: ArrayLike) -> list[float]:
    """Ten significant digits: more than a price has."""
    return [float(f"{price:.{_DIGITS}g}") for price in np.asarray(prices, np.float64)]


def _columns(candles: pd.DataFrame) -> CandleColumns:
    opened = candles["timestamp"]
    shown = candles[opened > opened.iloc[-1] - SHOWN]
    prices = {name: shown[name].to_list() for name in ("open", "high", "low", "close", "volume")}
    return CandleColumns(timestamp=list(datetimes(shown["timestamp"])), **prices)


def _forecast(served: Served, forecast: Forecast) -> ForecastAnswer:
    manifest, fan = served.manifest, _fan(forecast, forecast.quantiles)
    return ForecastAnswer(
        **fan.model_dump(),
        issued_at=forecast.issued_at,
        last_close=forecast.last_close,
        version=forecast.version,
        architecture=forecast.architecture,
        stand_in=forecast.stand_in,
        verdict=manifest.verdict.reason,
        edge=_edge(manifest.edge, forecast.stand_in),
        calibration=None if forecast.stand_in else _widths(served.champion.widths),
        baseline=_fan(forecast, forecast.baseline) if forecast.baseline else None,
    )


def _edge(found: Verdict, stand_in: str | None) -> Edge:
    return Edge(proven=False, reason=stand_in) if stand_in else Edge(proven=found.publish, reason=found.reason)


def _fan(forecast: Forecast, prices: tuple[tuple[float, ...], ...]) -> Fan:
    hours = range(1, len(prices) + 1)
    return Fan(
        closes_at=[forecast.issued_at + hour * HOUR for hour in hours],
        levels=list(forecast.levels),
        quantiles=[rounded(row) for row in prices],
    )


def _widths(widths: Widths | None) -> WidthsUsed | None:
    if widths is None:
        return None
    return WidthsUsed(at=widths.at, forecasts=widths.forecasts, factors=rounded(widths.factors))
