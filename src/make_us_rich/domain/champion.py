"""The champion pointer: which version of a pair is served, and which were before."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from make_us_rich.domain.errors import ArtifactError


class Promotion(BaseModel):
    """A version became the champion at a time (UTC), for a reason in words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    at: datetime
    reason: str


class ChampionPointer(BaseModel):
    """The promotions of a pair, oldest first; the last one is served. Empty until a first model passes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pair: str
    promotions: tuple[Promotion, ...] = ()

    @classmethod
    def read(cls, record: Any, pair: str) -> "ChampionPointer":
        """Check a record from the store.

        Raises:
            ArtifactError: The record is no champion pointer of this pair.
        """
        try:
            pointer = cls.model_validate(record)
        except ValidationError as exc:
            raise ArtifactError(
                f"{pair}: the champion pointer is damaged ({exc.errors()[0]['msg']});"
                " delete its champion.json and run the pair again"
            ) from exc
        if pointer.pair != pair:
            raise ArtifactError(f"{pair}: the champion pointer names the pair {pointer.pair}; run the pair again")
        return pointer

    @property
    def version(self) -> str | None:
        """The version that is served, or None."""
        return self.promotions[-1].version if self.promotions else None

    def as_of(self, moment: datetime) -> str | None:
        """The version that was served at a moment, or None when there was none yet."""
        past = [promotion.version for promotion in self.promotions if promotion.at <= moment]
        return past[-1] if past else None

    def promote(self, version: str, at: datetime, reason: str) -> "ChampionPointer":
        """The pointer after a version has become the champion."""
        promotion = Promotion(version=version, at=at, reason=reason)
        return self.model_copy(update={"promotions": (*self.promotions, promotion)})
