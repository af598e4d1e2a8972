"""Parameters of the hourly job."""

from pydantic import BaseModel, ConfigDict, Field


class HourlyParameters(BaseModel):
    """Below ``hourly``.

    Attributes:
        run_minutes: A run that takes longer is ended.
        tries: How often a run that fails is tried in one hour.
        kept_runs: The newest runs of a pair that its record keeps.
        mlflow_days: Runs that are older are deleted from MLflow's record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_minutes: float = Field(gt=0)
    tries: int = Field(ge=1)
    kept_runs: int = Field(ge=1)
    mlflow_days: int = Field(ge=1)
