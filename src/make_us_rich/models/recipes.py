"""Recipes: the hyperparameters that a manifest keeps, so that a model can be fitted again."""

import json
from typing import Any, cast

from pydantic import ValidationError

from make_us_rich.domain.checksums import sha256
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.validation import first_problem
from make_us_rich.models.challengers import Challenger
from make_us_rich.models.combination import Combination
from make_us_rich.models.interface import Architecture
from make_us_rich.models.registry import TrainingParameters

Recipe = dict[str, dict[str, Any]]
"""Hyperparameters, as JSON, by architecture: one entry, or one for each member of a combination."""


def recipe_of(name: str, challenger: Challenger) -> Recipe:
    """What a challenger was fitted with.

    Args:
        name: The architecture's; a combination has its members' instead.
        challenger: Plain or combined.
    """
    architecture = challenger.architecture
    members = architecture.members if isinstance(architecture, Combination) else {name: architecture}
    return {each: member.model_dump(mode="json") for each, member in members.items()}


def restore(recipe: Recipe) -> dict[str, Architecture]:
    """The architectures of a recipe, by name.

    Args:
        recipe: As ``recipe_of`` made it, in this release or another.

    Raises:
        ArtifactError: This release has no such architecture, or not with these hyperparameters.
    """
    return {name: _restore_one(name, hyperparameters) for name, hyperparameters in recipe.items()}


def _restore_one(name: str, hyperparameters: dict[str, Any]) -> Architecture:
    known = TrainingParameters.names()
    if name not in known:
        raise ArtifactError(
            f"recipe of {name}: this release has no such architecture, only {', '.join(known)}; train the pair again"
        )
    kind = cast("type[Architecture]", TrainingParameters.model_fields[name].annotation)
    try:
        return kind.model_validate(hyperparameters)
    except ValidationError as exc:
        path, wrong = first_problem(exc)
        raise ArtifactError(
            f"recipe of {name}: not one of this release: {path}: {wrong}; train the pair again"
        ) from exc


def recipe_id(recipe: Recipe) -> str:
    """Twelve hexadecimal digits that are the same for the same recipe, in whatever order it is written."""
    return sha256(json.dumps(recipe, sort_keys=True).encode())[:12]
