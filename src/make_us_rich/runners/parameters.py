"""Parameters of runs of many pairs."""

from pydantic import BaseModel, ConfigDict, Field


class RunningParameters(BaseModel):
    """``params:running``.

    Attributes:
        workers: Pairs side by side on one machine; 0 for one a core.
        scheduler: Address of the Dask scheduler, such as ``tcp://10.0.0.5:8786``; empty for what
            ``DASK_SCHEDULER_ADDRESS`` says.
        retries: How often a pair is begun again whose process was killed on a cluster.
        patience: Seconds that a pair waits on a cluster for a run that holds it: a lost worker's lease takes
            a minute to go stale.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    workers: int = Field(ge=0)
    scheduler: str = Field(pattern=r"^((tcp|tls)://.+)?$")
    retries: int = Field(ge=0)
    patience: int = Field(ge=0)
