"""An attempt to run a pair's pipeline: what explains an hour without a forecast."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from make_us_rich.domain.errors import ArtifactError

KEPT = 1000
"""Attempts that are remembered, the newest ones: two weeks of three an hour."""


class Attempt(BaseModel):
    """One run, by the clock of the machine that it ran on, UTC.

    Attributes:
        began: When.
        ended: None while it runs, and for ever where it was killed.
        error: Why it failed, in one line; None where it has not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    began: datetime
    ended: datetime | None = None
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        """It ended, and without an error."""
        return self.ended is not None and self.error is None


_LIST = TypeAdapter(tuple[Attempt, ...])


def read_attempts(record: dict[str, Any], pair: str) -> tuple[Attempt, ...]:
    """The attempts of a stored record, oldest first; none of an empty one.

    Raises:
        ArtifactError: It holds something else.
    """
    try:
        return _LIST.validate_python(record.get("attempts", ()))
    except ValidationError as exc:
        raise ArtifactError(f"{pair}: the record of its runs is damaged; delete its attempts.json") from exc


def attempts_record(attempts: tuple[Attempt, ...]) -> dict[str, Any]:
    """What is stored of them."""
    return {"attempts": _LIST.dump_python(attempts[-KEPT:], mode="json")}
