"""A forecast: quantiles of the closes of the next hours."""

from dataclasses import dataclass
from datetime import datetime

QUANTILE_LEVELS: tuple[float, ...] = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
BASELINE = "baseline"
"""The architecture that every other is held against."""
HORIZON = 24
"""Hours ahead: a forecast covers the horizons 1 to ``HORIZON``."""


@dataclass(frozen=True)
class Forecast:
    """Quantiles of the next hourly closes of one pair, issued at the close of its last candle.

    Attributes:
        pair: Name such as ``btc_usdt``.
        version: The model's version, as in its manifest.
        architecture: Name such as ``baseline``.
        issued_at: UTC time at which the last candle seen had closed; horizon ``h`` closes ``h`` hours later.
        last_close: Close of that candle, in quote currency.
        levels: Probability of each quantile, ascending, ``[level]``.
        quantiles: Prices in quote currency, ``[horizon][level]``, ascending along ``level``.
        baseline: The same from the baseline, on the same candles; None where none is stored beside the model.
        stand_in: Why these quantiles are the baseline's and not the model's; None where they are the model's.
    """

    pair: str
    version: str
    architecture: str
    issued_at: datetime
    last_close: float
    levels: tuple[float, ...]
    quantiles: tuple[tuple[float, ...], ...]
    baseline: tuple[tuple[float, ...], ...] | None = None
    stand_in: str | None = None

    def at(self, horizon: int, level: float) -> float:
        """The price, in quote currency, that the close in ``horizon`` hours stays under with probability ``level``.

        Raises:
            ValueError: The horizon or the level is not forecast.
        """
        if not 1 <= horizon <= len(self.quantiles) or level not in self.levels:
            raise ValueError(
                f"{self.pair}: no quantile {level} at horizon {horizon};"
                f" there are {self.levels} for 1 to {len(self.quantiles)} hours"
            )
        return self.quantiles[horizon - 1][self.levels.index(level)]

    def __str__(self) -> str:
        low, mid, high = (self.at(1, level) for level in (0.05, 0.5, 0.95))
        return (
            f"{self.pair} {self.issued_at:%Y-%m-%d %H:%M} UTC, last close {self.last_close:.8g}:"
            f" next hour {mid:.8g}, 90 % between {low:.8g} and {high:.8g}"
            f" ({self.architecture}, version {self.version})"
        )
