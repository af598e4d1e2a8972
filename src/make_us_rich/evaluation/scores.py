"""One small function a score. Errors are averaged over the first axis, the windows; the others stay.

So ``[window, horizon]`` gives a score by horizon, ``[horizon]``, and ``[window]`` a single number.
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
    for all. Unit of the targets; lower is better.

    Args:
        targets: What came true, ``[..., horizon]``.
        quantiles: ``[..., horizon, level]``.
        levels: Probability of each quantile, in (0, 1), ``[level]``.

    Returns:
        ``[..., horizon]``, the windows not averaged.
    """
    twice_mean: Scores = 2 * pinball(targets, quantiles, levels).mean(axis=-1)
    return twice_mean


def coverage(targets: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> Scores:
    """Share of the targets within their interval, both ends included, 0 to 1.

    An interval between the quantiles 0.05 and 0.95 should hold 0.9 of them (Christoffersen 1998, "Evaluating
    Interval Forecasts", International Economic Review 39).

    Args:
        targets: What came true, ``[window, ...]``.
        lower: Lower ends, ``[window, ...]``.
        upper: Upper ends, ``[window, ...]``.

    Returns:
        ``[...]``.
    """
    outcomes = np.asarray(targets)
    within = (np.asarray(lower) <= outcomes) & (outcomes <= np.asarray(upper))
    share: Scores = np.mean(within, axis=0, dtype=np.float64)
    return share


def rmse(actual: ArrayLike, forecast: ArrayLike) -> Scores:
    """Root of the mean squared error, ``sqrt(mean((y - f)^2))``, in the unit of the data (quote currency).

    Hyndman and Koehler 2006, "Another Look at Measures of Forecast Accuracy", International Journal of
    Forecasting 22, as for `mae` and `mape`.

    Args:
        actual: What came true, ``[window, ...]``.
        forecast: ``[window, ...]``.

    Returns:
        ``[...]``.
    """
    root: Scores = np.sqrt(np.mean(_errors(actual, forecast) ** 2, axis=0))
    return root


def mae(actual: ArrayLike, forecast: ArrayLike) -> Scores:
    """Mean absolute error, ``mean(|y - f|)``, in the unit of the data (quote currency).

    Args:
        actual: What came true, ``[window, ...]``.
        forecast: ``[window, ...]``.

    Returns:
        ``[...]``.
    """
    mean: Scores = np.mean(np.abs(_errors(actual, forecast)), axis=0)
    return mean


def mape(actual: ArrayLike, forecast: ArrayLike) -> Scores:
    """Mean absolute error as a share of what came true, ``mean(|y - f| / |y|)``; 0.01 is one per cent.

    Args:
        actual: What came true, never 0: prices, not returns; ``[window, ...]``.
        forecast: ``[window, ...]``.

    Returns:
        ``[...]``.
    """
    shares = _errors(actual, forecast) / np.asarray(actual, np.float64)
    mean: Scores = np.mean(np.abs(shares), axis=0)
    return mean


def skill(score: ArrayLike, baseline: ArrayLike) -> Scores:
    """Share of the baseline's error that is gone, ``1 - score / baseline``: 0 is no better, 1 is perfect.

    Murphy 1988, "Skill Scores Based on the Mean Square Error", Monthly Weather Review 116.

    Args:
        score: A score of which lower is better, averaged over the windows, ``[...]``.
        baseline: The baseline's, on the same windows, ``[...]``.

    Returns:
        ``[...]``, at most 1, without a lower bound.
    """
    return 1 - np.asarray(score, np.float64) / np.asarray(baseline, np.float64)


def directional_accuracy(moves: ArrayLike, forecast: ArrayLike) -> Scores:
    """Share of the moves whose sign was forecast, 0 to 1, where there was a move.

    Ties: windows whose close ends where it was (a move of 0, frequent at coarse tick sizes) are left out,
    since neither up nor down came true. A forecast of 0 has no direction and counts half, so that persistence
    scores 0.5.

    Args:
        moves: Log returns or price changes from the last close seen to the target, ``[window, ...]``.
        forecast: The same as forecast, ``[window, ...]``.

    Returns:
        ``[...]``, NaN where no window moved.
    """
    actual, guess = np.sign(np.asarray(moves, np.float64)), np.sign(np.asarray(forecast, np.float64))
    hits = np.where(guess == 0, 0.5, guess == actual)
    moved = actual != 0
    count = moved.sum(axis=0)
    share: Scores = np.where(moved, hits, 0).sum(axis=0) / np.where(count > 0, count, np.nan)
    return share


def mase(actual: ArrayLike, forecast: ArrayLike, naive_error: ArrayLike) -> Scores:
    """Mean absolute error in units of the naive forecast's on the training data, ``mean(|y - f|) / naive_error``.

    Hyndman and Koehler 2006, as for `mae`. The naive forecast is the last close, one hour ahead whatever the
    horizon, so that the score grows with the horizon and can be compared between pairs.

    Args:
        actual: What came true, ``[window, ...]``.
        forecast: ``[window, ...]``.
        naive_error: Mean absolute change of the close from one hour to the next in the training rows, in the unit of
            the data, above 0.

    Returns:
        ``[...]``.
    """
    return mae(actual, forecast) / np.asarray(naive_error, np.float64)


def _errors(actual: ArrayLike, forecast: ArrayLike) -> Scores:
    return np.asarray(actual, np.float64) - np.asarray(forecast, np.float64)
