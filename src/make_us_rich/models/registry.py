"""The architectures by name, the recipes that a manifest stores, and the candidates of a run."""

from __future__ import annotations

import json
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from make_us_rich.domain.errors import ArtifactError, ParameterError, first_problem
from make_us_rich.domain.manifest import sha256
from make_us_rich.models.base import Accelerator, Architecture, Challenger
from make_us_rich.models.baseline import Baseline
from make_us_rich.models.corrected_har import Lstm, PatchTransformer
from make_us_rich.models.ensemble import QuantileEnsemble
from make_us_rich.models.har import Har
from make_us_rich.models.levels import LstmLevels

Recipe = dict[str, dict[str, Any]]
"""Hyperparameters, as JSON, by architecture: one entry, or one for each member of an ensemble."""


class TrainingParameters(BaseModel):
    """``params:training``: settings of all fits, and the hyperparameters of each architecture by its name.

    Attributes:
        seed: Seed of all randomness.
        accelerator: Device on which networks train; ``auto`` uses a GPU if there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    accelerator: Accelerator

    baseline: Baseline
    har: Har
    lstm: Lstm
    patch_transformer: PatchTransformer
    lstm_levels: LstmLevels

    def architecture(self, name: str) -> Architecture:
        """The architecture of a known name."""
        found: Architecture = getattr(self, name)
        return found

    @classmethod
    def names(cls) -> list[str]:
        """The names of all architectures."""
        return [name for name in cls.model_fields if name not in ("seed", "accelerator")]

    def with_best_params(self, best_params: Recipe) -> TrainingParameters:
        """The parameters with the hyperparameters that tuning found in place of the configured ones.

        Args:
            best_params: All hyperparameters of an architecture by its name; empty if tuning found nothing better.

        Raises:
            ParameterError: They are of another release.
        """
        try:
            return TrainingParameters.model_validate(self.model_dump() | best_params)
        except ValidationError as exc:
            path, problem = first_problem(exc)
            raise ParameterError(
                f"best_params.json: {path}: another release's ({problem})",
                "delete the file in 06_models/<pair>, and run the tuning pipeline again",
            ) from exc


def parse_architectures(architectures: str) -> list[str]:
    """The names in ``params:architectures``, joined by a plus.

    Raises:
        ParameterError: A name is unknown.
    """
    names, known = architectures.split("+"), TrainingParameters.names()
    for name in names:
        if name not in known:
            raise ParameterError(f"parameter architectures: {name!r} is unknown", f"choose from {', '.join(known)}")
    return names


def trains_network(architectures: str) -> bool:
    """Whether one of ``params:architectures`` imports torch to be fitted.

    Raises:
        ParameterError: A name is unknown.
    """
    return any(kind_of(name).trains_network for name in parse_architectures(architectures))


def kind_of(name: str) -> type[Architecture]:
    """The class of a known architecture."""
    return cast("type[Architecture]", TrainingParameters.model_fields[name].annotation)


def recipe_of(name: str, challenger: Challenger) -> Recipe:
    """The hyperparameters of a challenger by this name, or of an ensemble by its members' names."""
    architecture = challenger.architecture
    members = architecture.members if isinstance(architecture, QuantileEnsemble) else {name: architecture}
    return {each: member.model_dump(mode="json") for each, member in members.items()}


def restore_architectures(recipe: Recipe) -> dict[str, Architecture]:
    """The architectures of a recipe, of this release or another, by name.

    Raises:
        ArtifactError: This release has no such architecture, or not with these hyperparameters.
    """
    restored, known = {}, TrainingParameters.names()
    for name, hyperparameters in recipe.items():
        if name not in known:
            raise ArtifactError(
                f"recipe of {name}: this release has no such architecture, only {', '.join(known)}",
                "train the pair again",
            )
        try:
            restored[name] = kind_of(name).model_validate(hyperparameters)
        except ValidationError as exc:
            path, problem = first_problem(exc)
            raise ArtifactError(
                f"recipe of {name}: another release's: {path}: {problem}", "train the pair again"
            ) from exc
    return restored


def config_hash(recipe: Recipe) -> str:
    """Twelve hexadecimal digits of a recipe, whatever the order of its keys."""
    return sha256(json.dumps(recipe, sort_keys=True).encode())[:12]


class Candidates(BaseModel):
    """The recipes of a run.

    Attributes:
        challengers: Recipes to fit, the baseline among them.
        champion: The recipe being served, one entry for each of its members; empty if it is the baseline, or none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    challengers: Recipe
    champion: Recipe = {}

    def architectures(self) -> dict[str, Architecture]:
        """The challengers, ready to fit.

        Raises:
            ArtifactError: A hyperparameter is not of this release.
        """
        return restore_architectures(self.challengers)
