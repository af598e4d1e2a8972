"""``params:preprocessing``."""

from pydantic import BaseModel, ConfigDict, Field


class PreprocessingParameters(BaseModel):
    """How the candles are split; see docs/preprocessing.md.

    Attributes:
        test_fraction: Share of the candles, the newest, that only test.
        validation_fraction: Share of the training windows, the newest, that only validate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    test_fraction: float = Field(ge=0.01, le=0.5)
    validation_fraction: float = Field(ge=0.01, le=0.5)
