"""``params:monitoring``."""

from pydantic import BaseModel, ConfigDict, Field

from make_us_rich.live.demotion import DemotionRules
from make_us_rich.live.drift import DriftRules


class MonitoringParameters(BaseModel):
    """What is kept of the forecasts that were served, and how they are judged; see docs/monitoring.md.

    Attributes:
        keep_days: Forecasts and holes are kept this long.
        recent_days: Forecasts of the last so many days are what API and interface show.
        windows: Days over which scores are taken.
        drift: When inputs count as drifted.
        demotion: When the champion is demoted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_days: int = Field(ge=1)
    recent_days: int = Field(ge=2)
    windows: tuple[int, ...] = Field(min_length=1)
    drift: DriftRules
    demotion: DemotionRules
