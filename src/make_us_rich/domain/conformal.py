"""Conformal scales of the model that is served: stored beside it, and refreshed without a new fit."""

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from make_us_rich.domain.frozen import OptionalRecord


class ConformalScales(OptionalRecord):
    """Factors for the distances of the closes' quantiles from their median, and of highs and lows from the last close.

    Attributes:
        version: Version of the model.
        at: Open time of the newest candle that they were measured on, UTC.
        forecasts: Number of past forecasts, none of whose candles the fit has seen.
        factors: Of the closes by horizon from one hour on, above 0; all 1 where the forecasts are too few.
        high_factors: Of the highest high until each hour; empty where it is not forecast.
        low_factors: Of the lowest low.
        tails: In place of those, of the levels beyond 0.05 and 0.95, by target, the lower ones of closes first; empty
            where they were not measured yet.
        coverage_before: Share of those forecasts' outcomes within the 80 % interval as fitted, by horizon.
        coverage_after: The same with these factors.
    """

    remedy: ClassVar[str] = "delete conformal_scales.json, or run the pair again"

    version: str
    at: datetime
    forecasts: int
    factors: tuple[float, ...]
    high_factors: tuple[float, ...] = ()
    low_factors: tuple[float, ...] = ()
    tails: dict[str, tuple[tuple[float, ...], ...]] = Field(default={})
    coverage_before: tuple[float, ...]
    coverage_after: tuple[float, ...]

    def of(self, target: str) -> tuple[float, ...]:
        """The factors of a target: ``close``, ``high`` or ``low``; empty where it is not forecast."""
        return {"close": self.factors, "high": self.high_factors, "low": self.low_factors}[target]

    def __str__(self) -> str:
        """Such as ``1.02 at 1 h, 0.98 at 24 h, from 1,296 past forecasts``."""
        first, last = self.factors[0], self.factors[-1]
        return f"{first:.2f} at 1 h, {last:.2f} at {len(self.factors)} h, from {self.forecasts:,} past forecasts"
