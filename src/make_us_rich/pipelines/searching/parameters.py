"""``params:searching``."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Value = bool | int | float | str


class Space(BaseModel):
    """Where one hyperparameter is searched: from ``low`` to ``high``, both included, or among ``choices``.

    Whether a range holds whole numbers is the hyperparameter's own affair.

    Attributes:
        low: None where there are choices.
        high: Above ``low``.
        log: Whether a range is searched by orders of magnitude.
        choices: Empty where there is a range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Value, ...] = ()

    @property
    def ends(self) -> tuple[Value, ...]:
        """Lowest and highest value, or the choices: if they are valid, so is what lies between."""
        return self.choices or tuple(end for end in (self.low, self.high) if end is not None)

    def holds(self, value: object) -> bool:
        """Whether a value may come out of a search."""
        if self.low is None or self.high is None:
            return value in self.choices
        return isinstance(value, int | float) and self.low <= value <= self.high

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        given = (self.low is not None, self.high is not None, bool(self.choices))
        if given not in {(True, True, False), (False, False, True)}:
            raise ValueError("give low and high, or choices")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError("low must be below high")
        if self.log and not (self.low is not None and self.low > 0):
            raise ValueError("log is for a range that begins above 0")
        return self


class SearchingParameters(BaseModel):
    """How long is searched, on what, and where; docs/search.md explains it.

    Attributes:
        trials: At most this many recipes of each architecture, the configured one among them.
        seconds: No trial of an architecture begins later than this after its first.
        folds: On which each recipe is tried.
        hours: Forecast origins of each fold, one an hour.
        least_gain: Share of the configured recipe's loss that has to be gone for another to take its place.
        seed: Of the choice of recipes.
        spaces: By architecture and hyperparameter; what has no space stays as configured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: int = Field(ge=1)
    seconds: float = Field(gt=0)
    folds: int = Field(ge=1)
    hours: int = Field(ge=1)
    least_gain: float = Field(ge=0, lt=1)
    seed: int
    spaces: dict[str, dict[str, Space]]
