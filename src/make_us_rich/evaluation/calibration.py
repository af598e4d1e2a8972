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


Stretches = NDArray[np.float64]
"""What each forecast's width would have had to be multiplied by, ``[horizon, window]``."""


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
    return _factors(_stretches(targets, quantiles, _interval(levels, chosen.nominal)), chosen)


def _factors(stretches: Stretches, chosen: Calibration) -> Factors:
    horizon, windows = stretches.shape
    # Rounded, since 0.9 * 10 may come out above 9.
    rank = math.ceil(round((windows + 1) * chosen.nominal, 9))
    if rank > windows:
        raise DataError(
            f"{windows} past forecasts do not calibrate an interval of {chosen.nominal:.0%}; wait for more outcomes"
        )
    factors = np.partition(stretches, rank - 1)[:, rank - 1].clip(chosen.narrowest, chosen.widest)
    independent = windows / np.arange(1, horizon + 1)
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
    seen = _seen(past.opens, horizon, moment, chosen)
    if seen.stop - seen.start < chosen.least_windows:
        return np.ones(horizon)
    return fit_widths(past.targets[seen], past.quantiles[seen], past.levels, chosen)


def _seen(opens: NDArray[np.datetime64], horizon: int, moment: np.datetime64, chosen: Calibration) -> slice:
    """Which forecasts count at a moment; their origins ascend."""
    first = opens.searchsorted(moment - np.timedelta64(chosen.days, "D"))
    end = opens.searchsorted(moment - horizon * _HOUR, side="right")
    return slice(int(first), max(int(first), int(end)))


def calibrate_forward(past: PastForecasts, rules: Calibration | None = None) -> Quantiles:
    """Every forecast as it would have been issued: its widths calibrated on what was known at the start of its UTC day.

    Returns:
        ``[window, horizon, level]``; the first ones, before which too little had come true, as they were.
    """
    chosen = rules or Calibration()
    days = past.opens.astype("datetime64[D]")
    starts = np.flatnonzero(np.diff(days, prepend=days[:1] - 1))
    ends = np.append(starts[1:], len(days))
    # Of each forecast once: it counts on ninety days.
    stretches = _stretches(past.targets, past.quantiles, _interval(past.levels, chosen.nominal))
    calibrated = [
        apply_widths(past.quantiles[start:end], _widths(past.opens, stretches, past.opens[start], chosen), past.levels)
        for start, end in zip(starts, ends, strict=True)
    ]
    return np.concatenate(calibrated) if calibrated else past.quantiles


def _widths(opens: NDArray[np.datetime64], stretches: Stretches, moment: np.datetime64, chosen: Calibration) -> Factors:
    horizon = len(stretches)
    seen = _seen(opens, horizon, moment, chosen)
    few = seen.stop - seen.start < chosen.least_windows
    return np.ones(horizon) if few else _factors(stretches[:, seen], chosen)


def _stretches(targets: NDArray[np.float64], quantiles: Quantiles, at: tuple[int, int, int]) -> Stretches:
    low, mid, high = (quantiles[:, :, index].T.astype(np.float64, order="C") for index in at)
    targets = np.asarray(targets, np.float64).T
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
