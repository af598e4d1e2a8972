"""How the widths of a model being served are calibrated: kept beside it, and refreshed without a new fit."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from make_us_rich.domain.errors import ArtifactError


class Widths(BaseModel):
    """Factors that a forecast's distances from its median are multiplied by.

    Attributes:
        version: The model that they are for.
        at: Open time of the newest candle that they know, UTC.
        forecasts: Past forecasts that they were measured on, none of whose candles the fit has seen.
        factors: By horizon from one hour on, above 0; all 1 where the forecasts are too few.
        coverage_before: Share of those forecasts' outcomes within the 80 % interval as it was fitted, by horizon.
        coverage_after: The same with these factors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    at: datetime
    forecasts: int
    factors: tuple[float, ...]
    coverage_before: tuple[float, ...]
    coverage_after: tuple[float, ...]

    @classmethod
    def read(cls, record: dict[str, Any], name: str) -> "Widths | None":
        """Check a record from the store; None for an empty one.

        Raises:
            ArtifactError: It holds something else.
        """
        try:
            return cls.model_validate(record) if record else None
        except ValidationError as exc:
            raise ArtifactError(
                f"{name}: the widths are damaged ({exc.errors()[0]['msg']}); delete widths.json, or run the pair again"
            ) from exc

    def __str__(self) -> str:
        """Such as ``times 1.02 at 1 h, 0.98 at 24 h, on 1,296 past forecasts``."""
        first, last = self.factors[0], self.factors[-1]
        return f"times {first:.2f} at 1 h, {last:.2f} at {len(self.factors)} h, on {self.forecasts:,} past forecasts"
