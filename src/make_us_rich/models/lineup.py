"""Who competes in a run: the recipes that are fitted, and the one that is being served."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from make_us_rich.models.interface import Architecture
from make_us_rich.models.recipes import Recipe, restore


class Lineup(BaseModel):
    """Hyperparameters by architecture.

    Attributes:
        challengers: What the run fits, the baseline among them.
        champion: The recipe being served, one entry for each of its members; empty where it is the baseline, or none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    challengers: Recipe
    champion: Recipe = {}

    @property
    def feature_sets(self) -> set[str]:
        """Names of all feature sets that somebody sees."""
        recipes: list[dict[str, Any]] = [*self.challengers.values(), *self.champion.values()]
        return {recipe["feature_set"] for recipe in recipes}

    def architectures(self) -> dict[str, Architecture]:
        """The challengers, ready to fit.

        Raises:
            ArtifactError: A hyperparameter is not of this release.
        """
        return restore(self.challengers)
