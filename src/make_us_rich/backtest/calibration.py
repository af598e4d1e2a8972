"""Conformal calibration after the fit: a scale for each target and horizon, and one for each of its tails."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from make_us_rich.domain.errors import DataError, ParameterError
from make_us_rich.domain.frozen import FrozenModel
from make_us_rich.domain.klines import HOUR_MS

TargetQuantiles = NDArray[np.floating]
"""Log returns of one target, ``[window, horizon, level]``."""

Quantiles = dict[str, TargetQuantiles]
"""By target: ``close`` and, but for models of the first contract, ``high`` and ``low``."""

EXTREMES = {"high": np.maximum, "low": np.minimum}
"""How a running extreme is made of prices."""

Scales = NDArray[np.float64]
"""Factors for the distances of closes from their median, and of highs and lows from the last close, ``[horizon]``."""

ConformityScores = NDArray[np.float64]
"""Factor with which each forecast's interval would just have reached its outcome, ``[horizon, window]``."""

TAIL = 0.025
"""Share of the outcomes that should lie beyond the outer quantile of its level, whose scale all farther ones share."""

TAIL_EDGE = 0.05
"""The outermost of the scored levels, up to which the scale of the interval holds."""

SIDES = {"close": (-1, 1), "high": (1,), "low": (-1,)}
"""The tails of a target, below (-1) and above its quantiles; the other end of highs and lows is the last close."""


class CalibrationParameters(FrozenModel):
    """``params:calibration``: how the conformal scales are measured.

    Attributes:
        window_days: Age in days up to which past forecasts count; 1 or more, default 90.
        target_coverage: Share of the outcomes that the interval between two symmetric levels should contain, between
            0 and 1; default 0.8, the interval between the levels 0.1 and 0.9.
        shrinkage: Number of independent forecasts that the scale 1 weighs as much as; 0 or more, default 600. With 0
            the past forecasts alone decide.
        min_forecasts: With fewer past forecasts every scale is 1; 1 or more, default 720.
        min_scale: Smallest scale, above 0 and at most 1; default 0.5.
        max_scale: Largest scale, 1 or more; default 2.
        tail_step: How much the logarithm of a tail's scale grows with an outcome beyond it; 0 or more, default 0.01.
        min_tail_scale: Smallest scale of a tail, above 0 and at most 1; default 0.8.
        max_tail_scale: Largest scale of a tail, 1 or more; default 1.25.
    """

    window_days: int = Field(default=90, ge=1)
    target_coverage: float = Field(default=0.8, gt=0, lt=1)
    shrinkage: float = Field(default=600, ge=0)
    min_forecasts: int = Field(default=720, ge=1)
    min_scale: float = Field(default=0.5, gt=0, le=1)
    max_scale: float = Field(default=2, ge=1)
    tail_step: float = Field(default=0.01, ge=0)
    min_tail_scale: float = Field(default=0.8, gt=0, le=1)
    max_tail_scale: float = Field(default=1.25, ge=1)


@dataclass(frozen=True)
class PastForecasts:
    """Out-of-sample forecasts of one target, and their outcomes.

    Attributes:
        opens: Open time of each origin, UTC, ``datetime64[ms]``, ascending, ``[window]``.
        targets: Log returns that came true, ``[window, horizon]``.
        quantiles: Not calibrated, ``[window, horizon, level]``.
        levels: Levels of the quantiles, symmetric around 0.5, ``[level]``.
        target: ``close``, ``high`` or ``low``.
    """

    opens: NDArray[np.datetime64]
    targets: NDArray[np.float64]
    quantiles: TargetQuantiles
    levels: Sequence[float]
    target: str = "close"


def conformity_scores(past: PastForecasts, parameters: CalibrationParameters) -> ConformityScores:
    """Score each forecast by the half of its interval on the outcome's side.

    Highs and lows have one side: the score is the outcome over the quantile of the target coverage. Without width the
    score is 0 for an outcome on the median (for highs and lows on the last close), and infinity beyond it.

    Raises:
        ParameterError: A level that is needed is not among the levels.
    """
    coverage = parameters.target_coverage
    level = (1 + coverage) / 2 if past.target == "close" else coverage
    scores: ConformityScores = _side_scores(past, level).max(axis=0)
    return scores


def tail_scores(past: PastForecasts) -> ConformityScores:
    """Score each forecast by the outer quantile of each tail, ``[side, horizon, window]``.

    No side where the forecasts do not have these quantiles.
    """
    return _side_scores(past, 1 - TAIL) if TAIL in past.levels else np.empty((0, *past.targets.T.shape))


def _side_scores(past: PastForecasts, level: float) -> ConformityScores:
    """Distance of each outcome over that of the quantile of the level or its opposite, ``[side, horizon, window]``."""

    def at(level: float) -> NDArray[np.float64]:
        return past.quantiles[:, :, _position(past.levels, level)].T.astype(np.float64, order="C")

    center = at(0.5) if past.target == "close" else 0.0
    moves, scores = np.asarray(past.targets, np.float64).T - center, []
    for side in SIDES[past.target]:
        distances, widths = side * moves, side * (at(0.5 + side * (level - 0.5)) - center)
        without_width = np.where(distances > 0, np.inf, 0.0)
        scores.append(np.divide(distances, widths, out=without_width, where=widths > 0))
    return np.stack(scores)


def fit_scales(scores: ConformityScores, parameters: CalibrationParameters) -> Scales:
    """Fit the scale of each horizon with which the interval would have had its target coverage.

    Split conformal prediction: of ``n`` conformity scores, the ``ceil((n + 1) * target_coverage)``-th smallest is the
    scale. With ``shrinkage`` 0, the interval of one more window, exchangeable with these, contains its outcome with at
    least the target coverage, and at most ``1 / (n + 1)`` more where no two scores tie (Lei et al. 2018,
    "Distribution-Free Predictive Inference for Regression", JASA 113; scores divided by the width as in Papadopoulos,
    Vovk and Gammerman 2011, JAIR 40). Windows ``h`` hours ahead overlap, so that about ``n / h`` of them are
    independent: the scale is raised to the power ``(n / h) / (n / h + shrinkage)``.

    Raises:
        DataError: There are too few windows for the target coverage.
    """
    horizon, windows = scores.shape
    # Rounded, since 0.9 * 10 may come out above 9.
    rank = math.ceil(round((windows + 1) * parameters.target_coverage, 9))
    if rank > windows:
        raise DataError(
            f"{windows} past forecasts do not calibrate an interval of {parameters.target_coverage:.0%}",
            "wait for more outcomes",
        )
    scales = np.partition(scores, rank - 1)[:, rank - 1].clip(parameters.min_scale, parameters.max_scale)
    independent = windows / np.arange(1, horizon + 1)
    shrunk: Scales = scales ** (independent / (independent + parameters.shrinkage))
    return shrunk


def track_tails(
    opens: NDArray[np.datetime64],
    scores: ConformityScores,
    moments: NDArray[np.datetime64],
    parameters: CalibrationParameters,
) -> NDArray[np.float64]:
    """Follow the scale of each tail with which the share ``TAIL`` of the outcomes lies beyond it.

    Adaptive conformal inference (Gibbs and Candes 2021, "Adaptive Conformal Inference Under Distribution Shift",
    NeurIPS 34), on the logarithm of the scale: at each moment the outcomes that have come since the one before are
    held against the scales with which they were forecast. One beyond widens by ``tail_step`` as much as 39 others
    narrow. So the share of a long time is met whatever the market does.

    Args:
        opens: Open time of each past origin, UTC, ascending, ``[window]``.
        scores: `tail_scores` of the past forecasts.
        moments: Open times of the origins from which on new scales hold, the first not after ``opens``, ascending.
        parameters: How intervals are calibrated.

    Returns:
        In force from each moment on, 1 at the first; ``[moment, side, horizon]``.
    """
    known = opens.searchsorted(moments - scores.shape[1] * np.timedelta64(HOUR_MS, "ms"), side="right")
    in_force = moments.searchsorted(opens, side="right") - 1
    scales = np.ones((len(moments), *scores.shape[:2]))
    for at in range(1, len(moments)):
        new = slice(known[at - 1], known[at])
        beyond = scores[..., new] > np.moveaxis(scales[in_force[new]], 0, -1)
        step = parameters.tail_step * (beyond - TAIL).sum(axis=-1)
        scales[at] = (scales[at - 1] * np.exp(step)).clip(parameters.min_tail_scale, parameters.max_tail_scale)
    return scales


def apply_scales(
    quantiles: TargetQuantiles,
    scales: Scales,
    levels: Sequence[float],
    target: str = "close",
    tails: ArrayLike = (),
) -> TargetQuantiles:
    """Scale the distances of closes from their median, ``median + scale * (quantile - median)``, of others from 0.

    The median does not change by a bit, and quantiles that did not cross do not cross afterwards: a tail ends at the
    scored level where it would be narrower.

    Args:
        quantiles: ``[window, horizon, level]``; the float type is preserved.
        scales: Above 0, ``[horizon]``.
        levels: With 0.5, ``[level]``.
        target: ``close``, ``high`` or ``low``.
        tails: Scales of the levels beyond ``TAIL_EDGE`` in place of those, ``[side, horizon]``; none by default.
    """
    middle = _position(levels, 0.5)
    center = quantiles[:, :, middle : middle + 1] if target == "close" else np.zeros((), quantiles.dtype)
    distances = quantiles - center
    scaled: TargetQuantiles = center + scales.astype(quantiles.dtype)[:, None] * distances
    for side, factors in zip(SIDES[target], np.asarray(tails, quantiles.dtype), strict=False):
        edge = _position(levels, 0.5 + side * (0.5 - TAIL_EDGE))
        beyond = slice(edge) if side < 0 else slice(edge + 1, None)
        tail = center + factors[:, None] * distances[:, :, beyond]
        bound = np.minimum if side < 0 else np.maximum
        scaled[:, :, beyond] = bound(tail, scaled[:, :, edge : edge + 1])
    return scaled


def nest(quantiles: Mapping[str, TargetQuantiles], *, in_place: bool = False) -> Quantiles:
    """Raise highs to the closes and to 0, a log return, and lower lows to them, level by level.

    The highest high until a close is not below it, nor below the last close, from which it is counted. ``in_place``
    overwrites the highs and lows that are given.
    """
    close, nested = quantiles["close"], dict(quantiles)
    for target in EXTREMES.keys() & nested.keys():
        values, extreme = nested[target], EXTREMES[target]
        nested[target] = extreme(values, extreme(close, 0), out=values if in_place else None)
    return nested


def settle(quantiles: Mapping[str, TargetQuantiles], *, in_place: bool = False) -> Quantiles:
    """`nest`, with highs that do not fall and lows that do not rise from one horizon to the next: both are running."""
    return {
        target: EXTREMES[target].accumulate(values, axis=1, out=values) if target in EXTREMES else values
        for target, values in nest(quantiles, in_place=in_place).items()
    }


def center_on_last_close(quantiles: TargetQuantiles, levels: Sequence[float]) -> TargetQuantiles:
    """Shift every forecast so that its median is the last close, a log return of 0; ``[window, horizon, level]``."""
    at = _position(levels, 0.5)
    return quantiles - quantiles[:, :, at : at + 1]


def calibrate_forward(past: PastForecasts, parameters: CalibrationParameters, first: int = 0) -> TargetQuantiles:
    """Calibrate each day's forecasts with the scales known at its first origin: as they would have been served.

    Args:
        past: The forecasts, the first of which only calibrate.
        parameters: How intervals are calibrated.
        first: The first window that is wanted.

    Returns:
        ``[window - first, horizon, level]``; those before which too few outcomes were known, unchanged but for tails.
    """
    starts = day_starts(past.opens)
    moments, ends = past.opens[starts], np.append(starts[1:], len(past.opens))
    # Once for all days: a score counts on `window_days` of them.
    scores, tails = conformity_scores(past, parameters), track_tails(past.opens, tail_scores(past), moments, parameters)
    calibrated = np.empty_like(past.quantiles[first:])
    for day in np.flatnonzero(ends > first):
        days = slice(max(starts[day], first), ends[day])
        scales = scales_at(past.opens, scores, moments[day], parameters)
        served = apply_scales(past.quantiles[days], scales, past.levels, past.target, tails[day])
        calibrated[days.start - first : days.stop - first] = served
    return calibrated


def day_starts(opens: NDArray[np.datetime64]) -> NDArray[np.intp]:
    """Positions of the first origin of each day, UTC, among ascending open times."""
    return np.unique(opens.astype("datetime64[D]"), return_index=True)[1]


def scales_at(
    opens: NDArray[np.datetime64], scores: ConformityScores, moment: np.datetime64, parameters: CalibrationParameters
) -> Scales:
    """Scales for a forecast whose origin opens at a moment, from what was known when that candle closed.

    Counts forecasts whose outcomes had all come by then and whose origin is at most ``window_days`` older. All ones
    where they are fewer than ``min_forecasts``.

    Args:
        opens: Open time of each past origin, UTC, ascending, ``[window]``.
        scores: `conformity_scores` of the past forecasts.
        moment: Open time of the forecast's origin, UTC.
        parameters: How intervals are calibrated.
    """
    horizon = len(scores)
    first = opens.searchsorted(moment - np.timedelta64(parameters.window_days, "D"))
    end = opens.searchsorted(moment - horizon * np.timedelta64(HOUR_MS, "ms"), side="right")
    known = scores[:, first:end]
    return fit_scales(known, parameters) if known.shape[1] >= parameters.min_forecasts else np.ones(horizon)


def _position(levels: Sequence[float], level: float) -> int:
    near = np.flatnonzero(np.isclose(levels, level))
    if len(near) == 0:
        raise ParameterError(f"calibration needs the quantile {level:.4g}, the levels are {tuple(levels)}", "add it")
    return int(near[0])
