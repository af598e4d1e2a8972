"""A market whose hourly log returns are normal, and forecasts of it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS, TARGETS, Forecast
from make_us_rich.monitoring.live_record import DTYPES, fill_outcomes, forecast_rows, quantile_columns

START = datetime(2025, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROOT_HOURS = np.sqrt(np.arange(1, HORIZON + 1))[:, None]


class RandomWalk:
    """The market and its forecasts; ``normal`` has the quantiles of the standard normal distribution, from a table."""

    start, sigma = START, 0.01
    normal = np.array([-1.6449, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.6449])
    highest = np.array([0.0627, 0.1257, 0.3186, 0.6745, 1.1503, 1.6449, 1.9600])
    """Of its absolute value, which the highest point until then has (the reflection principle)."""

    def klines(self, hours: int, seed: int = 1) -> pd.DataFrame:
        """Candles with time, close, high and low, the first one closing at the start.

        Prices are continuous: within an hour they move between its first and last by a hundred steps.
        """
        steps = np.random.default_rng(seed).normal(0, self.sigma / 10, (hours, 100))
        prices = 100 * np.exp(np.cumsum(steps).reshape(hours, 100))
        opens = pd.date_range(START - HOUR, periods=hours, freq="h").as_unit("ms")
        columns = {"high": prices.max(axis=1), "low": prices.min(axis=1), "close": prices[:, -1]}
        return pd.DataFrame({"timestamp": opens, **columns})

    def forecast(self, scale: float = 1.0, baseline: float | None = 1.0) -> Forecast:
        """A forecast at the start from a close of 100, its widths and the baseline's times a factor."""
        return Forecast(
            pair="btc_usdt",
            version="2025-02-28T00.05.00.000Z",
            architecture="har",
            issued_at=START,
            last_close=100.0,
            levels=QUANTILE_LEVELS,
            quantiles=self._fan(scale),
            baseline=None if baseline is None else self._fan(baseline),
            return_levels=QUANTILE_LEVELS,
            returns=self._extremes(scale),
            baseline_returns={} if baseline is None else self._extremes(baseline),
        )

    def record(self, klines: pd.DataFrame, hours: int, baseline: float = 1.0) -> pd.DataFrame:
        """A forecast at the close of each of the first candles, and the outcomes that the candles have."""
        issued = klines.head(hours)
        one = forecast_rows(self.forecast(baseline=baseline), "recipe")
        record = pd.concat([one] * len(issued), ignore_index=True)
        moments = np.repeat((issued["timestamp"] + HOUR).array, HORIZON)
        closes = np.repeat(issued["close"].to_numpy(), HORIZON)
        columns = [name for target in TARGETS for names in quantile_columns(target) for name in names]
        prices = {name: record[name] / 100 * closes for name in columns}
        closes_at = moments + pd.to_timedelta(record["horizon"], unit="h")
        record = record.assign(issued_at=moments, closes_at=closes_at, last_close=closes, **prices)
        return fill_outcomes(record.astype(DTYPES), klines)

    def _extremes(self, scale: float) -> dict[str, np.ndarray]:
        high = scale * self.sigma * ROOT_HOURS * self.highest
        return {"high": high, "low": -high[:, ::-1]}

    def _fan(self, scale: float) -> tuple[tuple[float, ...], ...]:
        prices = 100 * np.exp(scale * self.sigma * ROOT_HOURS * self.normal)
        return tuple(tuple(map(float, row)) for row in prices)


@pytest.fixture(scope="session")
def walk() -> RandomWalk:
    return RandomWalk()


@pytest.fixture(scope="session")
def klines(walk: RandomWalk) -> pd.DataFrame:
    return walk.klines(700)
