"""Parameters of the exporting pipeline."""

from pydantic import BaseModel, ConfigDict, Field


class ExportingParameters(BaseModel):
    """``params:exporting``.

    Attributes:
        max_versions: How many of the newest versions are retained, published or not.
        champion_retention_days: Days for which a past champion is retained as well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_versions: int = Field(ge=1)
    champion_retention_days: int = Field(ge=0)
