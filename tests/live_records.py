"""Live records that are made up: forecasts every hour with outcomes from a random walk."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS, Forecast
from make_us_rich.live.record import BASELINE, DTYPES, QUANTILES, fill_outcomes, rows_of

START = datetime(2025, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NORMAL = (-1.6449, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.6449)
"""Quantiles of the standard normal distribution at the levels, from a table."""
SIGMA = 0.01


def made_forecast(
    at: datetime = START, close: float = 100.0, scale: float = 1.0, baseline: float | None = 1.0
) -> Forecast:
    """A forecast of a random walk whose hours have the deviation ``SIGMA``, its widths times a factor."""
    return Forecast(
        pair="btc_usdt",
        version="2025-02-28T00.05.00.000Z",
        architecture="har",
        issued_at=at,
        last_close=close,
        levels=QUANTILE_LEVELS,
        quantiles=_fan(close, scale),
        baseline=None if baseline is None else _fan(close, baseline),
    )


def _fan(close: float, scale: float) -> tuple[tuple[float, ...], ...]:
    spread = scale * SIGMA * np.sqrt(np.arange(1, HORIZON + 1))[:, None] * np.array(NORMAL)
    return tuple(tuple(map(float, row)) for row in close * np.exp(spread))


def walked_klines(hours: int, seed: int = 1, start: datetime = START) -> pd.DataFrame:
    """Candles of the random walk, the first one closing at ``start``: time and close only."""
    steps = np.random.default_rng(seed).normal(0, SIGMA, hours)
    opens = pd.date_range(start - HOUR, periods=hours, freq="h").as_unit("ms")
    return pd.DataFrame({"timestamp": opens, "close": 100 * np.exp(np.cumsum(steps))})


def made_record(klines: pd.DataFrame, hours: int, scale: float = 1.0, baseline: float = 1.0) -> pd.DataFrame:
    """A forecast at the close of each of the first candles, and what came."""
    issued = klines.head(hours)
    one = rows_of(made_forecast(scale=scale, baseline=baseline), "recipe")
    record = pd.concat([one] * len(issued), ignore_index=True)
    moments = np.repeat((issued["timestamp"] + HOUR).array, HORIZON)
    closes = np.repeat(issued["close"].to_numpy(), HORIZON)
    ahead = pd.to_timedelta(record["horizon"], unit="h")
    prices = {name: record[name] / 100 * closes for name in (*QUANTILES, *BASELINE)}
    record = record.assign(issued_at=moments, last_close=closes, **prices)
    return fill_outcomes(record.assign(closes_at=(record["issued_at"] + ahead)).astype(DTYPES), klines)
