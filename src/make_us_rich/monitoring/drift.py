"""Drift: whether the champion's inputs still look like its training rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from make_us_rich.domain.frozen import FrozenModel
from make_us_rich.domain.live import Drift, FeatureDrift

BINS = 10
"""Of a feature, with equal shares of the training rows as far as ties allow."""

_DAY = 24
_MIN_WINDOWS = 3
_MIN_SHARE = 1e-3
"""Of rows in a bin, so that an empty bin does not make the index infinite."""

Floats = NDArray[np.float64]


class DriftRules(FrozenModel):
    """When inputs count as drifted.

    Attributes:
        window_days: The newest rows that are compared.
        psi_threshold: Smallest population stability index that counts as drift.
        alpha: Largest share of the training windows that may be as far off, over all features together.
    """

    window_days: int = Field(default=14, ge=1)
    psi_threshold: float = Field(default=0.25, gt=0)
    alpha: float = Field(default=0.05, gt=0, lt=1)


def measure_drift(training: pd.DataFrame, recent: pd.DataFrame, rules: DriftRules) -> Drift:
    """Compare the newest rows with the training rows.

    Hours resemble their neighbours, so a test that takes rows for independent finds drift in any two weeks, and there
    are dozens of features. Here the training rows provide the reference distribution: every window of the same length
    among them, one starting each day, is compared with all of them, and the largest index over the features is compared
    with the largest index of each window (Westfall and Young 1993, "Resampling-Based Multiple Testing").

    Args:
        training: Complete rows that the model was fitted on, one an hour, ``[row, feature]``.
        recent: The newest complete rows, with the same columns.
        rules: When inputs count as drifted.
    """
    length = rules.window_days * _DAY
    if len(training) < _MIN_WINDOWS * length or len(recent) < length // 2:
        reason = f"{len(recent)} recent and {len(training)} training rows are too few for {rules.window_days} days"
        return Drift(n_rows=len(recent), n_windows=0, reason=reason)
    columns = zip(training.to_numpy(np.float64).T, recent.to_numpy(np.float64).T, strict=True)
    shares = [_bin_shares(known, new, length) for known, new in columns]
    expected, now, windows = (np.stack(each, axis=-2) for each in zip(*shares, strict=True))
    (psi,), (ks,) = distances(now[None], expected)
    reference, _ = distances(windows, expected)
    largest = float(psi.max())
    p_value = float((1 + (reference.max(axis=1) >= largest).sum()) / (1 + len(reference)))
    beyond = (reference >= psi).mean(axis=0)
    names = list(map(str, training.columns))
    return Drift(
        n_rows=len(recent),
        n_windows=len(reference),
        psi=largest,
        p_value=p_value,
        drifted=largest >= rules.psi_threshold and p_value <= rules.alpha,
        reason=(
            f"the largest population stability index is {largest:.2f} ({names[int(psi.argmax())]});"
            f" {p_value:.0%} of the training windows of {rules.window_days} days are as far off"
        ),
        features=tuple(
            FeatureDrift(name=names[at], psi=float(psi[at]), ks=float(ks[at]), p_value=float(beyond[at]))
            for at in np.lexsort((-psi, beyond))
        ),
    )


def distances(shares: Floats, expected: Floats) -> tuple[Floats, Floats]:
    """Population stability index and Kolmogorov-Smirnov distance, from bins, both ``[window, feature]``.

    ``PSI = sum((a - e) ln(a / e))`` over the shares ``a`` of the rows and ``e`` of the training rows in each bin
    (Siddiqi 2006, "Credit Risk Scorecards"); the distance is the largest difference of their cumulative sums.

    Args:
        shares: Of each window's rows, ``[window, feature, bin]``.
        expected: Of all training rows, ``[feature, bin]``.
    """
    ks = np.abs(np.cumsum(shares - expected, axis=-1)).max(axis=-1)
    actual, usual = np.maximum(shares, _MIN_SHARE), np.maximum(expected, _MIN_SHARE)
    return ((actual - usual) * np.log(actual / usual)).sum(axis=-1), ks


def _bin_shares(training: Floats, recent: Floats, length: int) -> tuple[Floats, Floats, Floats]:
    """Shares of one feature's training rows, recent rows ``[bin]`` and training windows ``[window, bin]`` in bins."""
    edges = np.quantile(training, np.arange(1, BINS) / BINS)
    known, new = (np.eye(BINS)[np.searchsorted(edges, values)] for values in (training, recent))
    sums = np.concatenate([np.zeros((1, BINS)), np.cumsum(known, axis=0)])
    starts = np.arange(0, len(known) - length + 1, _DAY)
    return known.mean(axis=0), new.mean(axis=0), (sums[starts + length] - sums[starts]) / length
