"""The bases of stored records and of parameters."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from make_us_rich.domain.errors import ArtifactError, first_problem


class FrozenModel(BaseModel):
    """An immutable model that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OptionalRecord(FrozenModel):
    """A stored record that may be absent."""

    remedy: ClassVar[str] = "the next run of the monitoring writes it again"

    @classmethod
    def read(cls, record: dict[str, Any], name: str) -> Self | None:
        """Parse the record of a pair or version; None for an empty one.

        Raises:
            ArtifactError: The record is damaged.
        """
        try:
            return cls.model_validate(record) if record else None
        except ValidationError as exc:
            path, problem = first_problem(exc)
            message = f"{name}: {cls.__name__} is damaged or of another release ({path}: {problem})"
            raise ArtifactError(message, cls.remedy) from exc
