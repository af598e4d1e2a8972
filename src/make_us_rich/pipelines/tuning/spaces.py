"""``params:tuning``, and its search spaces checked against the architectures that they are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field, ValidationError, model_validator

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.frozen import FrozenModel
from make_us_rich.models.base import Architecture
from make_us_rich.models.registry import TrainingParameters

Value = bool | int | float | str

FIXED = "feature_set"
"""Features are computed before tuning begins."""


class Space(FrozenModel):
    """Search space of one hyperparameter: a range with both ends, or choices.

    Attributes:
        low: Lowest value of a range; None with choices.
        high: Highest value of a range, above ``low``; None with choices.
        log: Whether a range, above 0, is searched by orders of magnitude; default false.
        choices: Values to choose from; empty with a range.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Value, ...] = ()

    @property
    def ends(self) -> tuple[Value, ...]:
        """Lowest and highest value, or the choices: if they are valid, so is what lies between."""
        return self.choices or tuple(end for end in (self.low, self.high) if end is not None)

    def __contains__(self, value: object) -> bool:
        if self.low is None or self.high is None:
            return value in self.choices
        return isinstance(value, int | float) and self.low <= value <= self.high

    @model_validator(mode="after")
    def _is_range_or_choices(self) -> Self:
        given = (self.low is not None, self.high is not None, bool(self.choices))
        if given not in {(True, True, False), (False, False, True)}:
            raise ValueError("give low and high, or choices")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError("low must be below high")
        if self.log and not (self.low is not None and self.low > 0):
            raise ValueError("log is for a range that begins above 0")
        return self


Spaces = Mapping[str, Space]
"""By hyperparameter."""


class TuningParameters(FrozenModel):
    """``params:tuning``: budget, folds and search spaces of hyperparameter tuning.

    Attributes:
        n_trials: Recipes of each architecture that are tried at most, the configured one among them; 1 or more, in
            conf/base 20.
        timeout: Seconds after the first trial of an architecture after which none begins; above 0, in conf/base 600.
        n_folds: Folds of each trial, before the hours that the gate uses; 1 or more, in conf/base 4.
        test_size: Forecast origins of each fold, one an hour; 1 or more, in conf/base 336.
        min_gain: Share of the configured recipe's loss that has to be gone for another to replace it, 0 to 1; in
            conf/base 0.0025.
        seed: Seed of the sampler.
        spaces: Search space by architecture and hyperparameter; a hyperparameter without one stays as configured.
    """

    n_trials: int = Field(ge=1)
    timeout: float = Field(gt=0)
    n_folds: int = Field(ge=1)
    test_size: int = Field(ge=1)
    min_gain: float = Field(ge=0, lt=1)
    seed: int
    spaces: dict[str, dict[str, Space]]


def check_spaces(spaces: Mapping[str, Spaces], training: TrainingParameters) -> None:
    """Check the spaces against the architectures that they are for.

    Raises:
        ParameterError: An architecture or a hyperparameter is unknown, or an end of a space is not a value of it; named
            by its full path.
    """
    for name, fields in spaces.items():
        if name not in training.names():
            raise _wrong(name, f"there is no such architecture; choose from {', '.join(training.names())}")
        configured = training.architecture(name)
        for field, space in fields.items():
            if field not in type(configured).model_fields or field == FIXED:
                raise _wrong(f"{name}.{field}", "there is no such hyperparameter to tune")
            for end in space.ends:
                try:
                    type(configured).model_validate(configured.model_dump() | {field: end})
                except ValidationError as exc:
                    # A conflict with another field shows in a trial.
                    if problems := [each["msg"] for each in exc.errors() if each["loc"][:1] == (field,)]:
                        raise _wrong(f"{name}.{field}", f"{end}: {problems[0]}") from exc


def find_spaces(name: str, spaces: Mapping[str, Spaces], configured: Architecture) -> Spaces:
    """The spaces of an architecture.

    Raises:
        ParameterError: It has none, or none that contains the configured recipe, with which tuning begins.
    """
    if not spaces.get(name):
        raise ParameterError(
            f"architecture {name} has no search space",
            f"add tuning.spaces.{name}, or choose others with --params=architectures={'+'.join(spaces)}",
        )
    for field, space in spaces[name].items():
        value = getattr(configured, field)
        if value not in space:
            raise _wrong(f"{name}.{field}", f"the configured value, {value}, is not in it, and tuning begins there")
    return spaces[name]


def _wrong(path: str, problem: str) -> ParameterError:
    return ParameterError(f"parameter tuning.spaces.{path}: {problem}", "correct it in conf/ or in --params")
