"""Parameters of the exporting pipeline."""

from pydantic import BaseModel, ConfigDict, Field


class ExportingParameters(BaseModel):
    """``params:exporting``.

    Attributes:
        keep_versions: The newest versions that are kept, published or not.
        keep_champions_days: Every version that was champion in the last so many days is kept as well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_versions: int = Field(ge=1)
    keep_champions_days: int = Field(ge=0)
