"""Whether one forecast is better than another or was lucky: the test of Diebold and Mariano."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from make_us_rich.domain.errors import DataError


@dataclass(frozen=True)
class DieboldMariano:
    """Outcome of the test.

    Attributes:
        t: Mean advantage in standard errors, corrected for the small sample; above 0 the first is better.
        p: Probability of such an advantage or a larger one between forecasts that are equally good, 0 to 1.
    """

    t: float
    p: float


def diebold_mariano(loss_a: ArrayLike, loss_b: ArrayLike, horizon: int) -> DieboldMariano:
    """Test whether forecast ``a`` is better than forecast ``b``, one-sided.

    ``t = mean(d) / sqrt(V / n) * sqrt((n + 1 - 2 h + h (h - 1) / n) / n)`` for ``d = loss_b - loss_a``, held against
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
    advantages = _advantages(loss_a, loss_b, horizon)
    count, mean = len(advantages), float(advantages.mean())
    error = float(np.sqrt(long_run_variance(advantages, horizon - 1) / count))
    if error == 0:
        t = float(np.copysign(np.inf, mean)) if mean else 0.0
    else:
        t = mean / error * _small_sample(count, horizon)
    return DieboldMariano(t, _upper_tail(t, count - 1))


def long_run_variance(values: NDArray[np.float64], lags: int) -> float:
    """Variance of a serially dependent series' mean, times its length.

    The larger of two estimates from the same autocovariances: with equal weights, which is right for errors that
    overlap by up to ``lags`` hours but can fall below zero, and with Bartlett's falling weights (Newey and West
    1987, Econometrica 55), which never does but is too small where the dependence is strong.

    Args:
        values: In order of time, ``[window]``.
        lags: Autocovariances that count, 0 or more and fewer than there are values.

    Returns:
        0 or more.
    """
    centred = values - values.mean()
    covariances = np.array([centred[lag:] @ centred[: len(centred) - lag] for lag in range(lags + 1)]) / len(centred)
    bartlett = 1 - np.arange(1, lags + 1) / (lags + 1)
    larger = covariances[0] + 2 * max(covariances[1:].sum(), bartlett @ covariances[1:])
    # Bartlett's is below zero by rounding at most.
    return max(float(larger), 0.0)


def _advantages(loss_a: ArrayLike, loss_b: ArrayLike, horizon: int) -> NDArray[np.float64]:
    first, second = np.asarray(loss_a, np.float64), np.asarray(loss_b, np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise DataError(
            f"losses of shape {first.shape} and {second.shape}; compare one loss an origin on the same ones"
        )
    if len(first) <= max(horizon, 1):
        raise DataError(f"{len(first)} origins do not test a forecast of {horizon} hours; use more folds or hours")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise DataError("a loss is not a finite number; look at the training curve of the model that made it")
    return second - first


def _small_sample(count: int, horizon: int) -> float:
    return float(np.sqrt((count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count))


def _upper_tail(t: float, degrees: int) -> float:
    """P(T > t) of Student's t."""
    from scipy.special import stdtr  # type: ignore[import-untyped]

    return float(stdtr(degrees, -t))
