"""A challenger: an architecture and what came out of its fit."""

from dataclasses import dataclass

from make_us_rich.models.interface import Architecture, FittedModel


@dataclass(frozen=True)
class Challenger:
    """Hyperparameters and fitted model of one architecture."""

    architecture: Architecture
    fitted: FittedModel


Challengers = dict[str, Challenger]
"""By the architecture's name."""
