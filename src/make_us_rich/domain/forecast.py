"""A forecast: the distribution of the closes, highs and lows of the next hours."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from make_us_rich.domain.distribution import (
    Probabilities,
    Probability,
    normal_scores,
    probability_above,
    probability_below,
    probability_of_touch,
    quantile,
)
from make_us_rich.domain.errors import DataError, ParameterError
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.scenarios import ScenarioRanks, scenarios

TARGETS = ("close", "high", "low")
"""What is forecast for each horizon: the close of its last hour, the highest high until then, and the lowest low."""
LEVELS: tuple[float, ...] = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5),
    *(0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995),
)
"""Levels of every forecast."""
QUANTILE_LEVELS: tuple[float, ...] = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""Those of them that are scored and recorded, and that every release has had."""

MIN_SCENARIOS = 60
"""With fewer past origins, three a day, no scenarios are made: three of them are the worst 5 %."""
BASELINE = "baseline"
"""The architecture that every other is held against."""
HOURS_A_YEAR = 8766
HORIZON = 24
"""Hours ahead: a forecast covers the horizons 1 to ``HORIZON``."""
STALE_AFTER = HOUR + timedelta(minutes=2)
"""An older forecast that is served has missed a candle."""


def scored_positions(levels: Sequence[float]) -> list[int]:
    """Positions of the scored levels among others, which contain them."""
    return [levels.index(level) for level in QUANTILE_LEVELS]


@dataclass(frozen=True)
class Volatility:
    """How far a price may move within some hours.

    Attributes:
        hours: How many.
        sigma: Standard deviation of a normal distribution with the forecast's 80 % interval, log return.
        annual: The same for a year, if every hour were like these.
        percentile: Share of the last year's forecasts that were not wider, 0 to 100; None with too few of them.
    """

    hours: int
    sigma: float
    annual: float
    percentile: float | None

    @property
    def word(self) -> str | None:
        """``calm``, ``usual`` or ``wild``: below a quarter of the last year's, above three quarters, or between."""
        if self.percentile is None:
            return None
        return "calm" if self.percentile < 25 else "wild" if self.percentile > 75 else "usual"


@dataclass(frozen=True)
class Forecast:
    """What one pair may do in the next hours, issued at the close of its last candle.

    Attributes:
        pair: Name such as ``btc_usdt``.
        version: The model's version, as in its manifest.
        architecture: Name such as ``baseline``.
        issued_at: UTC time at which the last candle seen had closed; horizon ``h`` closes ``h`` hours later.
        last_close: Close of that candle, in quote currency.
        levels: Probability of each quantile, ascending, ``[level]``.
        quantiles: Closes in quote currency, ``[horizon][level]``, ascending along ``level``.
        baseline: The same from the baseline, on the same candles; None where none is stored beside the model.
        fallback: Why these quantiles are the baseline's; None if they are the model's.
        return_levels: Levels of ``returns``.
        returns: Log returns from the last close by target, ``[horizon, level]``; closes alone from a model of the
            first contract.
        baseline_returns: The same from the baseline; empty where none is stored beside the model.
        ranks: How the scenarios go together; None where that is not stored.
    """

    pair: str
    version: str
    architecture: str
    issued_at: datetime
    last_close: float
    levels: tuple[float, ...]
    quantiles: tuple[tuple[float, ...], ...]
    baseline: tuple[tuple[float, ...], ...] | None = None
    fallback: str | None = None
    return_levels: tuple[float, ...] = ()
    returns: Mapping[str, NDArray[np.floating]] = field(default_factory=dict, repr=False, compare=False)
    baseline_returns: Mapping[str, NDArray[np.floating]] = field(default_factory=dict, repr=False, compare=False)
    ranks: ScenarioRanks | None = field(default=None, repr=False, compare=False)

    def quantile(self, target: str, horizon: int, level: float) -> float:
        """The price, in quote currency, that the target stays at or below with probability ``level``.

        Args:
            target: ``close``, or the ``high`` or ``low`` until then.
            horizon: Hours ahead.
            level: Between the outermost of ``return_levels``.

        Raises:
            ParameterError: It is not forecast.
        """
        return float(self.prices(target, [level])[self._row(horizon), 0])

    def prices(self, target: str, levels: Sequence[float]) -> NDArray[np.float64]:
        """The same for all horizons and several levels, ``[horizon, level]``."""
        return np.asarray(self.last_close * np.exp(quantile(self._returns(target), self.return_levels, levels)))

    def probability(self, price: float, horizon: int, target: str = "close", *, below: bool = False) -> Probability:
        """How likely the close is above a price, the highest high at or above it, or the lowest low at or below it.

        Args:
            price: In quote currency, above 0.
            horizon: Hours ahead.
            target: ``close``, ``high`` or ``low``.
            below: Of a close below the price instead.

        Raises:
            ParameterError: It is not forecast, or the price is not a positive number.
        """
        return self.probabilities([price], target, below=below).at(self._row(horizon), 0)

    def probabilities(self, prices: Sequence[float], target: str = "close", *, below: bool = False) -> Probabilities:
        """The same for all horizons and several prices, ``[horizon, price]``."""
        side = probability_below if below or target == "low" else probability_above
        return side(self._returns(target)[:, None], self.return_levels, self._log_returns(prices))

    def touch(self, price: float, horizon: int) -> Probability:
        """How likely a price is traded within the next hours; certain for the last close.

        Raises:
            ParameterError: As for `probability`.
        """
        return self.touches([price]).at(self._row(horizon), 0)

    def touches(self, prices: Sequence[float]) -> Probabilities:
        """The same for all horizons and several prices, ``[horizon, price]``."""
        high, low = (self._returns(target)[:, None] for target in TARGETS[1:])
        return probability_of_touch(high, low, self.return_levels, self._log_returns(prices))

    def scenarios(self) -> NDArray[np.float64]:
        """Equally likely joint paths of close, highest high and lowest low, ``[scenario, target, horizon]``.

        In quote currency, the targets in the order of ``TARGETS``. See `make_us_rich.domain.scenarios`.

        Raises:
            DataError: The model is of the first contract, or its pair has traded too few days.
        """
        if self.ranks is None or len(self.ranks.opens) < MIN_SCENARIOS:
            raise DataError(
                f"{self.pair}: {0 if self.ranks is None else len(self.ranks.opens)} past origins give no scenarios",
                f"train the pair again once it has traded {MIN_SCENARIOS // 3} days or more",
            )
        quantiles = np.stack([self.returns[target] for target in TARGETS])
        paths: NDArray[np.float64] = self.last_close * np.exp(
            scenarios(quantiles, self.return_levels, self.ranks.ranks)
        )
        return paths

    def volatility(self, horizon: int) -> Volatility:
        """How far the price may move, and how that compares with the last year's forecasts.

        Raises:
            ParameterError: It is not forecast.
        """
        low, high = quantile(self._returns("close")[self._row(horizon)], self.return_levels, (0.1, 0.9)).tolist()
        sigma = (high - low) / (2 * float(normal_scores((0.9,))[0]))
        percentile = None
        if self.ranks is not None and len(self.ranks.opens) >= MIN_SCENARIOS:
            percentile = round(100 * float((self.ranks.widths[:, horizon - 1] <= high - low).mean()), 1)
        return Volatility(horizon, sigma, sigma * math.sqrt(HOURS_A_YEAR / horizon), percentile)

    def _returns(self, target: str) -> NDArray[np.floating]:
        if target not in self.returns:
            raise ParameterError(f"{self.pair}: {target} is not forecast", f"choose from {', '.join(self.returns)}")
        return self.returns[target]

    def _row(self, horizon: int) -> int:
        if not 1 <= horizon <= len(self.quantiles):
            raise ParameterError(
                f"{self.pair}: horizon {horizon} is not forecast", f"choose 1 to {len(self.quantiles)} hours"
            )
        return horizon - 1

    def _log_returns(self, prices: Sequence[float]) -> NDArray[np.float64]:
        """Log returns from the last close to prices."""
        wrong = [price for price in prices if not 0 < price < math.inf]
        if wrong:
            raise ParameterError(f"{self.pair}: {wrong[0]} is no price", "give a positive number")
        return np.asarray(np.log(np.asarray(prices, np.float64) / self.last_close))

    def __str__(self) -> str:
        low, mid, high = (self.quantile("close", 1, level) for level in (0.05, 0.5, 0.95))
        return (
            f"{self.pair} {self.issued_at:%Y-%m-%d %H:%M} UTC, last close {self.last_close:.8g}:"
            f" next hour {mid:.8g}, 90 % between {low:.8g} and {high:.8g}"
            f" ({self.architecture}, version {self.version})"
        )
