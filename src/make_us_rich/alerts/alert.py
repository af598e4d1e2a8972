"""Alerts, the rules for them, and the state of all alerts between two checks."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field, ValidationError

from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.frozen import FrozenModel


class AlertKind(StrEnum):
    """What can be wrong; docs/monitoring.md has the remedy for each."""

    RUN_FAILED = "run_failed"
    RUN_LATE = "run_late"
    CANDLES_STALE = "candles_stale"
    MODEL_OLD = "model_old"
    DEMOTION = "demotion"
    API_NOT_READY = "api_not_ready"
    QUOTA_STORE_DOWN = "quota_store_down"
    DISK_NEARLY_FULL = "disk_nearly_full"
    STORE_DOWN = "store_down"


class Alert(FrozenModel):
    """One problem with a pair, an address or a folder; the text has the remedy."""

    kind: AlertKind
    subject: str
    text: str

    @property
    def key(self) -> str:
        """Identifies the problem while its text changes."""
        return f"{self.kind} {self.subject}"


class AlertRules(FrozenModel):
    """When an alert is raised, and how often it is sent.

    Attributes:
        max_run_age_minutes: Since the last successful run of a pair's monitoring.
        max_candle_age_hours: Since the newest candle closed.
        max_model_age_hours: Since the newest candle that the champion was trained on.
        min_disk_free: Share of the disk.
        api_timeout_seconds: For the API's readiness.
        cooldown_minutes: An alert is not raised again within this time, even if it was resolved in between.
        repeat_interval_hours: An alert that lasts is sent again after this time.
        max_messages_per_hour: Including those that did not arrive; further alerts wait.
    """

    max_run_age_minutes: float = Field(gt=0)
    max_candle_age_hours: float = Field(gt=0)
    max_model_age_hours: float = Field(gt=0)
    min_disk_free: float = Field(ge=0, lt=1)
    api_timeout_seconds: float = Field(gt=0)
    cooldown_minutes: float = Field(ge=0)
    repeat_interval_hours: float = Field(gt=0)
    max_messages_per_hour: int = Field(ge=1)


class OpenAlert(FrozenModel):
    """A problem since it was first found, and when it was last sent, UTC."""

    alert: Alert
    since: datetime
    notified: datetime | None = None


class Event(StrEnum):
    """What a notification reports about an alert."""

    RAISED = "raised"
    REPEATED = "repeated"
    RESOLVED = "resolved"


class Notification(FrozenModel):
    """One line that was sent about an alert."""

    at: datetime
    alert: Alert
    event: Event
    text: str


class AlertState(FrozenModel):
    """The state of all alerts: written by each check, read by the next one, the command line and the interface."""

    open: dict[str, OpenAlert] = Field(default_factory=dict)  # by the alert's key
    resolved: dict[str, OpenAlert] = Field(default_factory=dict)  # not yet reported as resolved
    raised: dict[str, datetime] = Field(default_factory=dict)  # when each was last sent, within the cooldown
    messages: tuple[datetime, ...] = ()  # when each was tried, within the last hour
    notifications: tuple[Notification, ...] = ()  # the newest last

    @classmethod
    def read(cls, record: dict[str, Any], file: str) -> AlertState:
        """Parse the content of a file; an empty record is the state before the first check.

        Raises:
            ArtifactError: It is damaged.
        """
        try:
            return cls.model_validate(record)
        except ValidationError as exc:
            remedy = "delete it; the next kedro check writes it again"
            raise ArtifactError(f"{file}: the state of the alerts is damaged", remedy) from exc
