"""Spaces beside the architectures whose hyperparameters they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from make_us_rich.domain.errors import ParameterError
from make_us_rich.models.interface import Architecture
from make_us_rich.models.registry import TrainingParameters
from make_us_rich.pipelines.searching.parameters import Space

if TYPE_CHECKING:
    from optuna import Trial

Spaces = Mapping[str, Space]
"""By hyperparameter."""

FIXED = "feature_set"
"""Features are computed before a search begins."""


def check_spaces(spaces: Mapping[str, Spaces], training: TrainingParameters) -> None:
    """Hold the spaces against the architectures that they are for.

    Raises:
        ParameterError: An architecture or a hyperparameter is unknown, or an end of a space is no value for it; named
            by its full path.
    """
    for name, fields in spaces.items():
        if name not in training.names():
            raise _wrong(name, f"there is no such architecture; choose from {', '.join(training.names())}")
        for field, space in fields.items():
            for problem in _problems(field, space, training.architecture(name)):
                raise _wrong(f"{name}.{field}", problem)


def _problems(field: str, space: Space, configured: Architecture) -> Iterator[str]:
    if field not in type(configured).model_fields or field == FIXED:
        yield "there is no such hyperparameter to search"
        return
    for end in space.ends:
        yield from (f"{end}: {problem}" for problem in _refusals(field, end, configured))


def _refusals(field: str, value: object, configured: Architecture) -> list[str]:
    """What the field itself has against a value; how it goes with other fields shows in a trial."""
    try:
        type(configured).model_validate(configured.model_dump() | {field: value})
    except ValidationError as exc:
        return [problem["msg"] for problem in exc.errors() if problem["loc"][:1] == (field,)]
    return []


def find_spaces(name: str, spaces: Mapping[str, Spaces], configured: Architecture) -> Spaces:
    """Where an architecture is searched.

    Raises:
        ParameterError: Nowhere, or not around the configured recipe, with which every search begins.
    """
    if not spaces.get(name):
        raise ParameterError(
            f"architecture {name} has no space to be searched in; give it one in searching.spaces.{name},"
            f" or choose others with --params=architectures={'+'.join(spaces)}"
        )
    for field, space in spaces[name].items():
        value = getattr(configured, field)
        if not space.holds(value):
            raise _wrong(f"{name}.{field}", f"the configured value, {value}, is not in it, and a search begins there")
    return spaces[name]


def _wrong(path: str, problem: str) -> ParameterError:
    return ParameterError(f"parameter searching.spaces.{path}: {problem}; correct it in conf/ or in --params")


def draw(trial: Trial, spaces: Spaces, configured: Architecture) -> dict[str, Any]:
    """All hyperparameters of a recipe: those that have a space from the trial, the others as configured."""
    drawn = {field: _draw_one(trial, field, space, configured) for field, space in spaces.items()}
    return configured.model_dump(mode="json") | drawn


def _draw_one(trial: Trial, field: str, space: Space, configured: Architecture) -> Any:
    if space.low is None or space.high is None:
        return trial.suggest_categorical(field, space.choices)
    if isinstance(getattr(configured, field), int):
        return trial.suggest_int(field, int(space.low), int(space.high), log=space.log)
    return trial.suggest_float(field, space.low, space.high, log=space.log)


def longest(configured: Architecture, spaces: Spaces) -> Architecture:
    """The recipe with the longest lookback that may be drawn: where it can forecast, all of them can."""
    ends = spaces["lookback"].ends if "lookback" in spaces else ()
    return configured.model_copy(update={"lookback": max(configured.lookback, *map(int, ends), 1)})
