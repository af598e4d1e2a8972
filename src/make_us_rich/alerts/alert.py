"""Something that is wrong."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """What can be wrong; docs/monitoring.md says what to do about each."""

    FAILED = "run_failed"
    LATE = "run_late"
    STALE = "candles_stale"
    OLD = "model_old"
    DEMOTED = "demotion"
    API = "api_not_ready"
    QUOTAS = "quota_store_down"
    DISK = "disk_nearly_full"
    STORE = "store_down"


class Alert(BaseModel):
    """One thing that is wrong now.

    Attributes:
        kind: What.
        subject: With what: a pair, an address, a folder.
        text: In words, with what to do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    subject: str
    text: str

    @property
    def key(self) -> str:
        """The same while the same thing is wrong, whatever its text says."""
        return f"{self.kind} {self.subject}"


class AlertRules(BaseModel):
    """When something is wrong, and how often it is told.

    Attributes:
        late_minutes: Without a run of a pair's monitoring that ended well.
        stale_hours: Since the newest candle closed.
        model_hours: Since the newest candle that the champion was made from.
        disk_free: Share of the disk that should be free.
        api_seconds: That the API may take to say whether it is ready.
        quiet_minutes: What has been told is not told again within this time, even if it was over in between.
        remind_hours: What lasts is told again after this time.
        messages_per_hour: At most; what does not fit is told later.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    late_minutes: float = Field(gt=0)
    stale_hours: float = Field(gt=0)
    model_hours: float = Field(gt=0)
    disk_free: float = Field(ge=0, lt=1)
    api_seconds: float = Field(gt=0)
    quiet_minutes: float = Field(ge=0)
    remind_hours: float = Field(gt=0)
    messages_per_hour: int = Field(ge=1)
