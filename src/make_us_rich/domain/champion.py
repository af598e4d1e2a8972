"""The champion pointer: which version of a pair is served, and which were before."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from make_us_rich.domain.errors import ArtifactError


class Demoted(BaseModel):
    """The champion that the baseline has taken the place of.

    Attributes:
        version: Of it.
        architecture: Of it.
        recipe: Identifier of its hyperparameters, which refits share.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    architecture: str
    recipe: str


class Promotion(BaseModel):
    """A version became the champion at a time (UTC), for a reason in words.

    Attributes:
        version: That is served from then on.
        at: When.
        reason: In words.
        demoted: Whose place it took because that one was worse than the baseline; None otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    at: datetime
    reason: str
    demoted: Demoted | None = None


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

    def promote(self, version: str, at: datetime, reason: str, demoted: Demoted | None = None) -> "ChampionPointer":
        """The pointer after a version has become the champion."""
        promotion = Promotion(version=version, at=at, reason=reason, demoted=demoted)
        return self.model_copy(update={"promotions": (*self.promotions, promotion)})

    def demoted_since(self, recipe: str, moment: datetime) -> Promotion | None:
        """The last demotion of a recipe since a moment, or None."""
        demotions = (each for each in reversed(self.promotions) if each.demoted and each.at >= moment)
        return next((each for each in demotions if each.demoted and each.demoted.recipe == recipe), None)

    @property
    def demotion(self) -> Promotion | None:
        """The last demotion, or None."""
        return next((each for each in reversed(self.promotions) if each.demoted), None)
