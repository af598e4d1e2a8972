"""The registry of names: one line an architecture."""

from pydantic import BaseModel, ConfigDict

from make_us_rich.domain.errors import ParameterError
from make_us_rich.models.baseline import Baseline
from make_us_rich.models.interface import Accelerator, Architecture
from make_us_rich.models.lstm_levels import LstmLevels


BASELINE = "baseline"
"""The architecture that every other is held against; always fitted."""


class TrainingParameters(BaseModel):
    """``params:training``: what all fits share, and the hyperparameters of each architecture by its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    accelerator: Accelerator

    baseline: Baseline
    lstm_levels: LstmLevels

    def architecture(self, name: str) -> Architecture:
        """The architecture of a name; see ``requested`` for names that come from a user."""
        found: Architecture = getattr(self, name)
        return found

    @classmethod
    def names(cls) -> list[str]:
        """The names of all architectures."""
        fields = cls.model_fields.items()
        return [
            name for name, field in fields if isinstance(field.annotation, type) and issubclass(field.annotation, Architecture)
        ]


def requested(architectures: str | list[str]) -> list[str]:
    """The names in ``params:architectures``: a list, or joined by a plus as on the command line.

    Raises:
        ParameterError: A name is unknown, or there is none.
    """
    names = architectures.split("+") if isinstance(architectures, str) else architectures
    unknown = [name for name in names if name not in TrainingParameters.names()] or ([""] if not names else [])
    if unknown:
        known = ", ".join(TrainingParameters.names())
        raise ParameterError(f"parameter architectures: {unknown[0]!r} is unknown; choose from {known}")
    return names


def with_baseline(architectures: str | list[str]) -> list[str]:
    """The names to fit: those asked for, and the baseline that their errors stand beside."""
    return list(dict.fromkeys([*requested(architectures), BASELINE]))
