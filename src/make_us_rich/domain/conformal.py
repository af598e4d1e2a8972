"""Conformal scales of the model that is served: stored beside it, and refreshed without a new fit."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from make_us_rich.domain.errors import ArtifactError


class ConformalScales(BaseModel):
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

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    at: datetime
    forecasts: int
    factors: tuple[float, ...]
    high_factors: tuple[float, ...] = ()
    low_factors: tuple[float, ...] = ()
    tails: dict[str, tuple[tuple[float, ...], ...]] = {}
    coverage_before: tuple[float, ...]
    coverage_after: tuple[float, ...]

    def of(self, target: str) -> tuple[float, ...]:
        """The factors of a target: ``close``, ``high`` or ``low``; empty where it is not forecast."""
        return {"close": self.factors, "high": self.high_factors, "low": self.low_factors}[target]

    @classmethod
    def read(cls, record: dict[str, Any], name: str) -> "ConformalScales | None":
        """Check a record from the store; None for an empty one.

        Raises:
            ArtifactError: It holds something else.
        """
        try:
            return cls.model_validate(record) if record else None
        except ValidationError as exc:
            reason = exc.errors()[0]["msg"]
            raise ArtifactError(
                f"{name}: the conformal scales are damaged ({reason})",
                "delete conformal_scales.json, or run the pair again",
            ) from exc

    def __str__(self) -> str:
        """Such as ``1.02 at 1 h, 0.98 at 24 h, from 1,296 past forecasts``."""
        first, last = self.factors[0], self.factors[-1]
        return f"{first:.2f} at 1 h, {last:.2f} at {len(self.factors)} h, from {self.forecasts:,} past forecasts"
