"""Two forecasts on the same folds: who is better, how often, and whether that was luck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from make_us_rich.domain.forecast import HORIZON
from make_us_rich.evaluation.scores import crps, skill
from make_us_rich.evaluation.significance import DieboldMariano, diebold_mariano

Losses = NDArray[np.float64]
"""One loss at each forecast origin, in order of time, lower is better, ``[window]``."""


@dataclass(frozen=True)
class Contest:
    """A forecast against a reference on the same folds.

    Attributes:
        skill: Share of the reference's mean loss that is gone.
        won: Folds in which the mean loss is lower than the reference's.
        folds: All of them.
        test: Whether that was luck, over all folds.
    """

    skill: float
    won: int
    folds: int
    test: DieboldMariano


def joint_loss(targets: ArrayLike, quantiles: ArrayLike, levels: Sequence[float]) -> Losses:
    """Mean CRPS over the horizons at each origin, the loss that the gate judges; log return, ``[window]``.

    Args:
        targets: ``[window, horizon]``.
        quantiles: ``[window, horizon, level]``.
        levels: ``[level]``.
    """
    losses: Losses = crps(targets, quantiles, levels).mean(axis=-1)
    return losses


def contest(losses: Losses, reference: Losses, folds: NDArray[np.intp], horizon: int = HORIZON) -> Contest:
    """Hold a forecast against a reference.

    Args:
        losses: Of the forecast.
        reference: Of the other, at the same origins.
        folds: Number of each origin's fold, ``[window]``.
        horizon: Hours ahead that the losses cover.

    Raises:
        DataError: The losses are of different length, not finite, or too few for the horizon.
    """
    test = diebold_mariano(losses, reference, horizon)
    numbers = np.unique(folds)
    won = sum(bool(losses[folds == fold].mean() < reference[folds == fold].mean()) for fold in numbers)
    return Contest(float(skill(losses.mean(), reference.mean())), won, len(numbers), test)
