"""Two forecasts on the same folds: which one is better, how often, and the Diebold-Mariano test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from make_us_rich.backtest.scores import crps, skill
from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import HORIZON

Losses = NDArray[np.float64]
"""One loss at each forecast origin, in order of time, lower is better, ``[window]``."""


@dataclass(frozen=True)
class DieboldMariano:
    """Mean advantage in standard errors, above 0 if the first forecast is better, and its one-sided p-value."""

    t: float
    p: float


@dataclass(frozen=True)
class Comparison:
    """A forecast against a reference: share of the mean loss that is gone (NaN where that is 0), folds won, of all."""

    skill: float
    won: int
    folds: int
    test: DieboldMariano


def mean_crps(targets: ArrayLike, quantiles: ArrayLike, levels: Sequence[float]) -> Losses:
    """Mean CRPS over the horizons at each origin, the loss that the gate compares; log return, ``[window]``.

    Targets ``[window, horizon]``, quantiles ``[window, horizon, level]``, levels ``[level]``.
    """
    losses: Losses = crps(targets, quantiles, levels).mean(axis=-1)
    return losses


def compare_forecasts(losses: Losses, reference: Losses, folds: NDArray[np.intp], horizon: int = HORIZON) -> Comparison:
    """Compare a forecast with a reference at the same origins, whose folds are given, ``[window]``.

    Raises:
        DataError: The losses are of different length, not finite, or too few for the horizon.
    """
    test = diebold_mariano(losses, reference, horizon)
    numbers = np.unique(folds)
    won = sum(bool(losses[folds == fold].mean() < reference[folds == fold].mean()) for fold in numbers)
    return Comparison(float(skill(losses.mean(), reference.mean())), won, len(numbers), test)


def diebold_mariano(loss_a: ArrayLike, loss_b: ArrayLike, horizon: int) -> DieboldMariano:
    """Test whether forecast ``a`` is better than forecast ``b``, one-sided.

    ``t = mean(d) / sqrt(V / n) * sqrt((n + 1 - 2 h + h (h - 1) / n) / n)`` for ``d = loss_b - loss_a``, compared with
    Student's t with ``n - 1`` degrees of freedom. Diebold and Mariano 1995, "Comparing Predictive Accuracy", Journal of
    Business & Economic Statistics 13; correction and distribution by Harvey, Leybourne and Newbold 1997, "Testing the
    Equality of Prediction Mean Squared Errors", International Journal of Forecasting 13. ``V``: `long_run_variance`
    with ``horizon - 1`` lags, since errors of forecasts made fewer than ``horizon`` hours apart overlap.

    Args:
        loss_a: Loss at each origin, in order of time, lower is better, ``[window]``. The mean over the horizons 1 to h
            is a loss of horizon h.
        loss_b: The other's, at the same origins.
        horizon: Hours ahead, 1 or more.

    Returns:
        ``t`` is 0 and ``p`` a half where the losses are the same.

    Raises:
        DataError: The losses are of different length, not finite, or no more than the horizon.
    """
    from scipy.special import stdtr  # type: ignore[import-untyped]

    first, second = np.asarray(loss_a, np.float64), np.asarray(loss_b, np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise DataError(
            f"losses of shape {first.shape} and {second.shape}",
            "pass one loss for each origin",
        )
    if len(first) <= max(horizon, 1):
        raise DataError(f"{len(first)} origins are too few for a horizon of {horizon} hours", "use more folds or hours")
    if not np.isfinite([first, second]).all():
        raise DataError("a loss is not a finite number", "look at the training curve of the model that made it")
    advantages = second - first
    count, mean = len(advantages), float(advantages.mean())
    error = float(np.sqrt(long_run_variance(advantages, horizon - 1) / count))
    if error:
        correction = float(np.sqrt((count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count))
        t = mean / error * correction
    else:
        t = float(np.copysign(np.inf, mean)) if mean else 0.0
    return DieboldMariano(t, float(stdtr(count - 1, -t)))


def long_run_variance(values: NDArray[np.float64], lags: int) -> float:
    """Variance of a serially dependent series' mean, times its length; 0 or more.

    The larger of two estimates from the same autocovariances: with equal weights, which is right for errors that
    overlap by up to ``lags`` hours but can fall below zero, and with Bartlett's falling weights (Newey and West
    1987, Econometrica 55), which never does but is too small where the dependence is strong. Values are in order of
    time, ``[window]``; as many autocovariances as ``lags`` count.
    """
    centred = values - values.mean()
    covariances = np.array([centred[lag:] @ centred[: len(centred) - lag] for lag in range(lags + 1)]) / len(centred)
    bartlett = 1 - np.arange(1, lags + 1) / (lags + 1)
    larger = covariances[0] + 2 * max(covariances[1:].sum(), bartlett @ covariances[1:])
    # Bartlett's is below zero by rounding at most.
    return max(float(larger), 0.0)
