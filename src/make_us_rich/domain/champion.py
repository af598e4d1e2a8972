"""The champion pointer: which version of a pair is served, and which were before."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ValidationError

from make_us_rich.domain.errors import ArtifactError, NotPublishedError
from make_us_rich.domain.frozen import FrozenModel


class Demoted(FrozenModel):
    """The champion that the baseline has taken the place of, with its recipe's identifier, which refits share."""

    version: str
    architecture: str
    recipe: str


class Promotion(FrozenModel):
    """A version became the champion at a time (UTC), for a reason in words."""

    version: str
    at: datetime
    reason: str
    demoted: Demoted | None = None  # whose place it took because that one was worse than the baseline
    rolled_back: bool = False  # by a person, who wants it whatever the gate thinks of newer fits


class ChampionPointer(FrozenModel):
    """The promotions of a pair, oldest first; the last one is served. Empty until a first model passes."""

    pair: str
    promotions: tuple[Promotion, ...] = ()

    @classmethod
    def read(cls, record: Any, pair: str) -> ChampionPointer:
        """Check a record from the store.

        Raises:
            ArtifactError: The record is no champion pointer of this pair.
        """
        try:
            pointer = cls.model_validate(record)
        except ValidationError as exc:
            raise ArtifactError(
                f"{pair}: the champion pointer is damaged ({exc.errors()[0]['msg']})",
                "delete its champion.json and run the pair again",
            ) from exc
        if pointer.pair != pair:
            raise ArtifactError(f"{pair}: the champion pointer names the pair {pointer.pair}", "run the pair again")
        return pointer

    @property
    def version(self) -> str | None:
        """The version that is served, or None."""
        return self.promotions[-1].version if self.promotions else None

    @property
    def earlier(self) -> tuple[Promotion, ...]:
        """The last promotion of each version that is not served now, newest first."""
        last = {each.version: each for each in self.promotions if each.version != self.version}
        return tuple(sorted(last.values(), key=lambda each: each.at, reverse=True))

    @property
    def demotion(self) -> Promotion | None:
        """The last demotion, or None."""
        return next((each for each in reversed(self.promotions) if each.demoted), None)

    @property
    def rollback(self) -> Promotion | None:
        """The last promotion if it was a rollback, or None."""
        return next((each for each in self.promotions[-1:] if each.rolled_back), None)

    def as_of(self, moment: datetime) -> str | None:
        """The version that was served at a moment, or None when there was none yet."""
        return next((each.version for each in reversed(self.promotions) if each.at <= moment), None)

    def require(self, as_of: datetime | None = None) -> str:
        """The version that is served now, or was at a moment.

        Raises:
            NotPublishedError: There was none.
        """
        if version := self.version if as_of is None else self.as_of(as_of):
            return version
        problem, remedy = "is published", f"run the pair: kedro run --pipeline={self.pair}"
        if as_of:
            problem, remedy = f"was published at {as_of:%Y-%m-%d %H:%M} UTC", "choose a later date"
        raise NotPublishedError(f"{self.pair}: no model {problem}", remedy)

    def outcome(self, version: str) -> str:
        """One line on a run: whether its version is served, and which one is instead."""
        if self.version == version:
            return f"published {version}"
        return f"still serving {self.version}" if self.version else "nothing published yet"

    def promote(
        self, version: str, at: datetime, reason: str, demoted: Demoted | None = None, *, rolled_back: bool = False
    ) -> ChampionPointer:
        """The pointer after a version has become the champion."""
        promotion = Promotion(version=version, at=at, reason=reason, demoted=demoted, rolled_back=rolled_back)
        return self.model_copy(update={"promotions": (*self.promotions, promotion)})
