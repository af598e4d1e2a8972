"""Scores of scenarios and of event probabilities, and backtests of value at risk."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.evaluation import BinScores

Floats = NDArray[np.float64]
BINS = 10
MIN_OUTCOMES = 20
CHUNK = 8
"""Windows whose distances are in memory at once: few, so that they stay in the processor's cache."""


def energy_score(outcomes: ArrayLike, scenarios: ArrayLike) -> Floats:
    """Energy score of each path, ``mean |X - y| - mean |X - X'| / 2`` with Euclidean distances over the horizons.

    The CRPS of a whole path: Gneiting and Raftery 2007, "Strictly Proper Scoring Rules, Prediction, and Estimation",
    JASA 102. In the unit of the outcomes, lower is better. Compare forecasts with as many scenarios only.

    Args:
        outcomes: What came true, ``[window, horizon]``.
        scenarios: Equally likely paths, ``[window, scenario, horizon]``.

    Returns:
        ``[window]``.
    """
    truth, paths = np.asarray(outcomes), np.asarray(scenarios)
    scores = np.empty(len(truth))
    for start in range(0, len(truth), CHUNK):
        part = slice(start, start + CHUNK)
        errors = paths[part].astype(np.float64) - truth[part, None]
        squares = (errors**2).sum(axis=-1)
        # In place, and of contiguous arrays: ten times as fast.
        between = errors @ np.ascontiguousarray(errors.swapaxes(1, 2))
        between *= -2
        between += squares[:, :, None] + squares[:, None]
        np.sqrt(between.clip(min=0, out=between), out=between)
        scores[part] = np.sqrt(squares).mean(axis=1) - between.mean(axis=(1, 2)) / 2
    return scores


class BrierScore(NamedTuple):
    """Brier score, 0 to 1, lower is better: ``reliability - resolution + uncertainty``.

    Attributes:
        score: Mean squared difference of the probability and what happened (1 or 0).
        reliability: Of which miscalibration, 0 or more.
        resolution: By how much the forecasts separate the cases.
        uncertainty: Variance of the event, which is the Brier score of climatology.
    """

    score: float
    reliability: float
    resolution: float
    uncertainty: float


def brier_score(probabilities: ArrayLike, happened: ArrayLike) -> BrierScore:
    """Brier score with its decomposition in ten bins, each ``[window]``.

    Murphy 1973, "A New Vector Partition of the Probability Score", Journal of Applied Meteorology 12. The resolution
    contains the variance within the bins, so that the sum is exact: Stephenson, Coelho and Jolliffe 2008, "Two Extra
    Components in the Brier Score Decomposition", Weather and Forecasting 23.

    Raises:
        DataError: The shapes differ, there are no forecasts, or a probability is not within 0 to 1.
    """
    forecast, event, bins = _binned(probabilities, happened)
    rate = event.mean()
    count = np.maximum(np.bincount(bins, minlength=BINS), 1)
    mean_forecast, mean_event = (np.bincount(bins, values, BINS)[bins] / count[bins] for values in (forecast, event))
    within = 2 * (event - mean_event) * (forecast - mean_forecast) - (forecast - mean_forecast) ** 2
    return BrierScore(
        score=float(((forecast - event) ** 2).mean()),
        reliability=float(((mean_forecast - mean_event) ** 2).mean()),
        resolution=float(((mean_event - rate) ** 2 + within).mean()),
        uncertainty=float(rate * (1 - rate)),
    )


def reliability_curve(
    probabilities: ArrayLike, happened: ArrayLike, min_outcomes: int = MIN_OUTCOMES
) -> tuple[BinScores, ...]:
    """The bins (0 to 0.1, ... 0.9 to 1) with at least ``min_outcomes``, ascending; the rest as in `brier_score`."""
    forecast, event, bins = _binned(probabilities, happened)
    numbers, counts = np.unique(bins, return_counts=True)
    shown = [bins == number for number in numbers[counts >= min_outcomes]]
    return tuple(BinScores(said=forecast[of].mean(), happened=event[of].mean(), outcomes=of.sum()) for of in shown)


def calibration_error(probabilities: ArrayLike, happened: ArrayLike) -> float:
    """Mean of ``|forecast - happened|`` over the bins, weighted by their number of forecasts, 0 to 1."""
    curve = reliability_curve(probabilities, happened, min_outcomes=1)
    errors = [abs(each.said - each.happened) for each in curve]
    return float(np.average(errors, weights=[each.outcomes for each in curve]))


class LikelihoodRatio(NamedTuple):
    """Statistic of a likelihood ratio test, 0 or more, and its p-value from the chi-squared distribution."""

    statistic: float
    p: float


class ValueAtRiskTest(NamedTuple):
    """Likelihood ratio tests of a value at risk; a small p-value rejects it.

    Attributes:
        coverage: Whether the share of exceedances is the nominal one (Kupiec).
        independence: Whether an exceedance is as likely after one as after none (Christoffersen).
        joint: Both.
    """

    coverage: LikelihoodRatio
    independence: LikelihoodRatio
    joint: LikelihoodRatio


def backtest_value_at_risk(exceeded: ArrayLike, probability: float) -> ValueAtRiskTest:
    """Test the exceedances of a value at risk.

    Kupiec 1995, "Techniques for Verifying the Accuracy of Risk Measurement Models", Journal of Derivatives 3, and
    Christoffersen 1998, "Evaluating Interval Forecasts", International Economic Review 39: the exceedances against a
    Bernoulli sequence and against a Markov chain. As usual the joint statistic takes the transitions alone.

    Args:
        exceeded: Whether the loss was beyond the value at risk, in order of time, ``[window]``. The windows must not
            overlap: take origins that are at least the horizon apart.
        probability: Nominal share of exceedances, in (0, 1); 0.05 for a value at risk of 95 %.

    Raises:
        DataError: There are fewer than two windows.
    """
    hits = np.asarray(exceeded, np.bool_)
    if hits.ndim != 1 or len(hits) < 2:
        raise DataError(f"exceedances of shape {hits.shape}", "pass two or more windows")
    moves = np.bincount(2 * hits[:-1] + hits[1:], minlength=4).reshape(2, 2)
    totals, after = np.bincount(hits, minlength=2), moves.sum(axis=0)
    markov = sum(_log_likelihood(row) for row in moves)
    return ValueAtRiskTest(
        coverage=_likelihood_ratio(_log_likelihood(totals) - _log_likelihood(totals, probability), 1),
        independence=_likelihood_ratio(markov - _log_likelihood(after), 1),
        joint=_likelihood_ratio(markov - _log_likelihood(after, probability), 2),
    )


def _log_likelihood(counts: NDArray[np.intp], probability: float | None = None) -> float:
    """Of so many misses and hits at a probability of a hit, by default their own share."""
    misses, hits = map(int, counts)
    share = hits / max(misses + hits, 1) if probability is None else probability
    return sum(count * math.log(chance) for count, chance in ((misses, 1 - share), (hits, share)) if count)


def _likelihood_ratio(gain: float, freedom: int) -> LikelihoodRatio:
    """From the gain in log likelihood; the chi-squared tail in closed form, for one or two degrees of freedom."""
    half = max(gain, 0.0)  # Below zero by rounding at most.
    return LikelihoodRatio(2 * half, math.erfc(math.sqrt(half)) if freedom == 1 else math.exp(-half))


def _binned(probabilities: ArrayLike, happened: ArrayLike) -> tuple[Floats, Floats, NDArray[np.intp]]:
    forecast, event = np.asarray(probabilities, np.float64), np.asarray(happened, np.float64)
    if forecast.shape != event.shape or forecast.ndim != 1 or not len(forecast):
        raise DataError(f"probabilities of shape {forecast.shape}, events {event.shape}", "pass one of each a window")
    if not ((forecast >= 0) & (forecast <= 1)).all():
        raise DataError("a probability is not within 0 to 1", "pass the values, not per cent")
    return forecast, event, np.digitize(forecast, np.arange(1, BINS) / BINS)
