"""The registry of names: one line an architecture."""

from pydantic import BaseModel, ConfigDict

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.forecast import BASELINE
from make_us_rich.models.baseline import Baseline
from make_us_rich.models.har import Har
from make_us_rich.models.har_week import HarWeek
from make_us_rich.models.interface import Accelerator, Architecture
from make_us_rich.models.lstm import Lstm
from make_us_rich.models.lstm_levels import LstmLevels
from make_us_rich.models.patch_transformer import PatchTransformer


class TrainingParameters(BaseModel):
    """``params:training``: what all fits share, and the hyperparameters of each architecture by its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    accelerator: Accelerator

    baseline: Baseline
    har: Har
    har_week: HarWeek
    lstm: Lstm
    patch_transformer: PatchTransformer
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
            name
            for name, field in fields
            if isinstance(field.annotation, type) and issubclass(field.annotation, Architecture)
        ]


def requested(architectures: str) -> list[str]:
    """The names in ``params:architectures``, joined there by a plus.

    Raises:
        ParameterError: A name is unknown.
    """
    names = architectures.split("+")
    known = TrainingParameters.names()
    for name in names:
        if name not in known:
            raise ParameterError(f"parameter architectures: {name!r} is unknown; choose from {', '.join(known)}")
    return names


def with_baseline(architectures: str) -> list[str]:
    """The names to fit: those asked for, and the baseline that their errors stand beside."""
    return list(dict.fromkeys([*requested(architectures), BASELINE]))
