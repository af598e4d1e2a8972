"""One small function a score. Errors are averaged over the first axis, the windows; the others stay.

So ``[window, horizon]`` gives a score by horizon, ``[horizon]``, and ``[window]`` a single number. Errors of points:
Hyndman and Koehler 2006, "Another Look at Measures of Forecast Accuracy", International Journal of Forecasting 22.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = NDArray[np.float64]


def pinball(targets: ArrayLike, quantiles: ArrayLike, levels: Sequence[float]) -> Scores:
    """Pinball loss of each quantile, ``max(level (y - q), (level - 1) (y - q))``, in the unit of the targets.

    Koenker and Bassett 1978, "Regression Quantiles", Econometrica 46. Lower is better, 0 is perfect.

    Args:
        targets: What came true, ``[..., horizon]``.
        quantiles: ``[..., horizon, level]``.
        levels: Probability of each quantile, in (0, 1), ``[level]``.

    Returns:
        ``[..., horizon, level]``, nothing averaged.
    """
    errors = np.asarray(targets, np.float64)[..., None] - np.asarray(quantiles, np.float64)
    probabilities = np.asarray(levels, np.float64)
    losses: Scores = np.maximum(probabilities * errors, (probabilities - 1) * errors)
    return losses


def crps(targets: ArrayLike, quantiles: ArrayLike, levels: Sequence[float]) -> Scores:
    """Continuous ranked probability score from quantiles: twice the mean pinball loss over the levels.

    The score is twice the integral of the pinball loss over all levels (Gneiting and Ranjan 2011, "Comparing
    Density Forecasts Using Threshold- and Quantile-Weighted Scoring Rules", JBES 29); the given levels stand
    for all. Unit of the targets; lower is better. Arguments as in `pinball`.

    Returns:
        ``[..., horizon]``, the windows not averaged.
    """
    values, total = np.asarray(quantiles), np.zeros(())
    for at, level in enumerate(levels):  # One at a time: all at once take ten times the memory of the quantiles.
        total = total + pinball(targets, values[..., [at]], [level])[..., 0]
    return 2 * total / len(levels)


def coverage(targets: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> Scores:
    """Share of the targets within their interval, both ends included, 0 to 1; each ``[window, ...]``.

    An interval between the quantiles 0.05 and 0.95 should hold 0.9 of them (Christoffersen 1998, "Evaluating
    Interval Forecasts", International Economic Review 39).
    """
    outcomes = np.asarray(targets)
    within = (np.asarray(lower) <= outcomes) & (outcomes <= np.asarray(upper))
    share: Scores = np.mean(within, axis=0, dtype=np.float64)
    return share


def rmse(actual: ArrayLike, forecast: ArrayLike) -> Scores:
    """Root of the mean squared error, ``sqrt(mean((y - f)^2))``, in the unit of the data; each ``[window, ...]``."""
    root: Scores = np.sqrt(np.mean(np.subtract(actual, forecast, dtype=np.float64) ** 2, axis=0))
    return root


def mae(actual: ArrayLike, forecast: ArrayLike) -> Scores:
    """Mean absolute error, ``mean(|y - f|)``, in the unit of the data; each ``[window, ...]``."""
    mean: Scores = np.mean(np.abs(np.subtract(actual, forecast, dtype=np.float64)), axis=0)
    return mean


def mape(actual: ArrayLike, forecast: ArrayLike) -> Scores:
    """Mean absolute error as a share of what came true, ``mean(|y - f| / |y|)``; 0.01 is one per cent.

    The actual values are never 0: prices, not returns; each ``[window, ...]``.
    """
    mean: Scores = np.mean(np.abs(np.subtract(actual, forecast, dtype=np.float64) / actual), axis=0)
    return mean


def mase(actual: ArrayLike, forecast: ArrayLike, naive_errors: ArrayLike) -> Scores:
    """Mean absolute error in units of the naive forecast's on the training data, ``mean(|y - f| / naive_error)``.

    The naive forecast is the last close, one hour ahead whatever the horizon, so that the score grows with the horizon
    and can be compared between pairs. NaN where the price did not move in the training data.

    Args:
        actual: What came true, ``[window, ...]``.
        forecast: ``[window, ...]``.
        naive_errors: Mean absolute hourly change of the close in the window's training rows, ``[window, ...]``.
    """
    naive = np.where(np.asarray(naive_errors) > 0, naive_errors, np.nan)
    return mae(np.asarray(actual, np.float64) / naive, np.asarray(forecast, np.float64) / naive)


def skill(score: ArrayLike, baseline: ArrayLike) -> Scores:
    """Share of the baseline's error that is gone, ``1 - score / baseline``: 0 is no better, 1 is perfect.

    Murphy 1988, "Skill Scores Based on the Mean Square Error", Monthly Weather Review 116. Of scores of which lower is
    better, averaged over the same windows, ``[...]``. NaN where the baseline made no error.
    """
    reference = np.asarray(baseline, np.float64)
    return 1 - np.asarray(score, np.float64) / np.where(reference == 0, np.nan, reference)


def directional_accuracy(moves: ArrayLike, forecast: ArrayLike) -> Scores:
    """Share of the moves whose sign was forecast, 0 to 1, where there was a move; NaN where no window moved.

    Windows whose close ends where it was (frequent at coarse tick sizes) are left out, since neither up nor down came
    true. A forecast of 0 has no direction and counts half, so that persistence scores 0.5. Moves are log returns or
    price changes from the last close seen to the target; each ``[window, ...]``.
    """
    actual, guess = np.sign(np.asarray(moves, np.float64)), np.sign(np.asarray(forecast, np.float64))
    hits = np.where(guess == 0, 0.5, guess == actual)
    moved = actual != 0
    count = moved.sum(axis=0)
    share: Scores = np.where(moved, hits, 0).sum(axis=0) / np.where(count > 0, count, np.nan)
    return share
