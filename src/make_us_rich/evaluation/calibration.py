"""Calibration after the fit: one factor a horizon widens or narrows a forecast around its median."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from make_us_rich.domain.errors import DataError, ParameterError
from make_us_rich.domain.klines import HOUR_MS

Quantiles = NDArray[np.floating]
"""Log returns, ``[window, horizon, level]``."""

Factors = NDArray[np.float64]
"""What widths are multiplied by, above 0, ``[horizon]``."""


class Calibration(BaseModel):
    """How widths are calibrated.

    Attributes:
        days: Past forecasts count this long.
        nominal: Share of the outcomes that the interval between two symmetric levels is to hold.
        prior: Independent forecasts' worth of belief that the widths are right as they are; 0: the past alone decides.
        least_windows: With fewer past forecasts widths stay as they are.
        narrowest: No factor is smaller.
        widest: No factor is larger.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: int = Field(default=90, ge=1)
    nominal: float = Field(default=0.8, gt=0, lt=1)
    prior: float = Field(default=600, ge=0)
    least_windows: int = Field(default=720, ge=1)
    narrowest: float = Field(default=0.5, gt=0, le=1)
    widest: float = Field(default=2, ge=1)


@dataclass(frozen=True)
class PastForecasts:
    """Forecasts of a model on hours that its fit has not seen, and what came true.

    Attributes:
        opens: Open time of each origin, UTC, ``datetime64[ms]``, ascending, ``[window]``.
        targets: Log returns, ``[window, horizon]``.
        quantiles: As they were fitted, not calibrated, ``[window, horizon, level]``.
        levels: Of the quantiles, symmetric around 0.5, ``[level]``.
    """

    opens: NDArray[np.datetime64]
    targets: NDArray[np.float64]
    quantiles: Quantiles
    levels: Sequence[float]


def fit_widths(
    targets: NDArray[np.float64], quantiles: Quantiles, levels: Sequence[float], rules: Calibration | None = None
) -> Factors:
    """Factor by horizon with which the nominal interval would have held its share of the outcomes.

    The stretch of a window is what the interval's half on the outcome's side, from the median to its end, would have
    to be multiplied by to reach the outcome. Of ``n`` windows the ``ceil((n + 1) * nominal)``-th smallest stretch is
    split conformal prediction's factor: with ``prior`` 0, the interval of one more window, exchangeable with these,
    holds its outcome with at least the nominal probability, and at most ``1 / (n + 1)`` more where no two stretches
    tie (Lei et al. 2018, "Distribution-Free Predictive Inference for Regression", JASA 113; scores divided by the
    width as in Papadopoulos, Vovk and Gammerman 2011, JAIR 40). Since windows ``h`` hours ahead overlap, only about
    ``n / h`` of them are independent: the factor is raised to the power ``(n / h) / (n / h + prior)``, and so held
    nearer to 1 at long horizons.

    Args:
        targets: Log returns that came true, ``[window, horizon]``.
        quantiles: ``[window, horizon, level]``.
        levels: Ascending, with 0.5 and the ends of the nominal interval among them, ``[level]``.
        rules: None: the defaults.

    Raises:
        DataError: There are too few windows for the nominal share.
        ParameterError: A level that is needed is not among the levels.
    """
    chosen = rules or Calibration()
    # Rounded, since 0.9 * 10 may come out above 9.
    rank = math.ceil(round((len(targets) + 1) * chosen.nominal, 9))
    if rank > len(targets):
        raise DataError(
            f"{len(targets)} past forecasts do not calibrate an interval of {chosen.nominal:.0%};"
            " wait for more outcomes"
        )
    stretches = _stretches(np.asarray(targets, np.float64), quantiles, _interval(levels, chosen.nominal))
    factors = np.partition(stretches, rank - 1, axis=0)[rank - 1].clip(chosen.narrowest, chosen.widest)
    independent = len(targets) / np.arange(1, targets.shape[1] + 1)
    shrunk: Factors = factors ** (independent / (independent + chosen.prior))
    return shrunk


def apply_widths(quantiles: Quantiles, factors: Factors, levels: Sequence[float]) -> Quantiles:
    """Multiply every distance from the median: ``median + factor * (quantile - median)``.

    The median stays to the last bit, and quantiles that did not cross do not cross afterwards.

    Args:
        quantiles: ``[window, horizon, level]``; the type of float is kept.
        factors: Above 0, ``[horizon]``.
        levels: With 0.5 among them, ``[level]``.

    Raises:
        ParameterError: 0.5 is not among the levels.
    """
    at = _position(levels, 0.5)
    median = quantiles[:, :, at : at + 1]
    widened: Quantiles = median + factors.astype(quantiles.dtype)[:, None] * (quantiles - median)
    return widened


def centre(quantiles: Quantiles, levels: Sequence[float]) -> Quantiles:
    """Move every forecast so that its median is the last close, a log return of 0; the widths stay.

    Args:
        quantiles: ``[window, horizon, level]``.
        levels: With 0.5 among them, ``[level]``.

    Raises:
        ParameterError: 0.5 is not among the levels.
    """
    at = _position(levels, 0.5)
    return quantiles - quantiles[:, :, at : at + 1]


def widths_at(past: PastForecasts, moment: np.datetime64, rules: Calibration | None = None) -> Factors:
    """Factors for a forecast whose origin opens at a moment, from what was known when that candle closed.

    Only forecasts whose every outcome had come by then, and whose origin is at most ``days`` older, count. All ones
    where they are fewer than ``least_windows``. Refreshing them needs no new fit.
    """
    chosen = rules or Calibration()
    horizon = past.targets.shape[1]
    old = past.opens >= moment - np.timedelta64(chosen.days, "D")
    seen = old & (past.opens + horizon * _HOUR <= moment)
    if seen.sum() < chosen.least_windows:
        return np.ones(horizon)
    return fit_widths(past.targets[seen], past.quantiles[seen], past.levels, chosen)


def calibrate_forward(past: PastForecasts, rules: Calibration | None = None) -> Quantiles:
    """Every forecast as it would have been issued: its widths calibrated on what was known at the start of its UTC day.

    Returns:
        ``[window, horizon, level]``; the first ones, before which too little had come true, as they were.
    """
    days = past.opens.astype("datetime64[D]")
    starts = np.flatnonzero(np.diff(days, prepend=days[:1] - 1))
    ends = np.append(starts[1:], len(days))
    calibrated = [
        apply_widths(past.quantiles[start:end], widths_at(past, past.opens[start], rules), past.levels)
        for start, end in zip(starts, ends, strict=True)
    ]
    return np.concatenate(calibrated) if calibrated else past.quantiles


def _stretches(targets: NDArray[np.float64], quantiles: Quantiles, at: tuple[int, int, int]) -> NDArray[np.float64]:
    low, mid, high = (quantiles[:, :, index].astype(np.float64) for index in at)
    return np.maximum(_share(targets - mid, high - mid), _share(mid - targets, mid - low))


def _share(distance: NDArray[np.float64], room: NDArray[np.float64]) -> NDArray[np.float64]:
    """``distance / room``; where there is no room, 0 for an outcome on the median and infinity beyond it."""
    nowhere = np.where(distance > 0, np.inf, 0.0)
    shares: NDArray[np.float64] = np.divide(distance, room, out=nowhere, where=room > 0)
    return shares


def _interval(levels: Sequence[float], nominal: float) -> tuple[int, int, int]:
    """Positions of the interval's lower end, the median and the upper end."""
    return _position(levels, (1 - nominal) / 2), _position(levels, 0.5), _position(levels, (1 + nominal) / 2)


def _position(levels: Sequence[float], level: float) -> int:
    near = np.flatnonzero(np.isclose(levels, level))
    if len(near) == 0:
        raise ParameterError(f"quantile {level:.4g} is needed to calibrate and {tuple(levels)} are forecast; add it")
    return int(near[0])


_HOUR = np.timedelta64(HOUR_MS, "ms")
