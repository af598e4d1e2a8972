"""Whether what a model sees is still what it was fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from make_us_rich.domain.live import Drift, FeatureDrift

BINS = 10
"""Of a feature, with as many training rows in each as ties allow."""

_DAY = 24
_LEAST_STRETCHES = 3
_LEAST_SHARE = 1e-3
"""Of rows in a bin, so that an empty one does not make the index infinite."""


class DriftRules(BaseModel):
    """When inputs count as drifted.

    Attributes:
        days: The newest rows that are looked at.
        psi: An index from this on is a large one.
        p: Share of the stretches among the training rows that may be as far off, all features taken together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: int = Field(default=14, ge=1)
    psi: float = Field(default=0.25, gt=0)
    p: float = Field(default=0.05, gt=0, lt=1)


@dataclass(frozen=True)
class Distances:
    """How far stretches of rows are from all training rows, ``[stretch, feature]``."""

    psi: NDArray[np.float64]
    ks: NDArray[np.float64]


def measure(training: pd.DataFrame, recent: pd.DataFrame, rules: DriftRules) -> Drift:
    """Hold the newest rows against the training rows.

    Hours resemble their neighbours, so that two weeks of them differ from a year by any test that takes rows for
    independent, and there are dozens of features. Here the training rows say what is usual: as far as the newest
    stretch is from all of them, so far are their own stretches of the same length, one a day, and the largest distance
    of all features is compared with theirs (Westfall and Young 1993, "Resampling-Based Multiple Testing").

    Args:
        training: Complete rows that the model was fitted on, one an hour, ``[row, feature]``.
        recent: The newest complete rows, with the same columns.
        rules: When inputs count as drifted.
    """
    length = rules.days * _DAY
    if len(training) < _LEAST_STRETCHES * length or len(recent) < length // 2:
        told = f"{len(recent)} recent rows and {len(training)} training rows are too few for {rules.days} days"
        return Drift(rows=len(recent), stretches=0, reason=told)
    columns = zip(training.to_numpy(np.float64).T, recent.to_numpy(np.float64).T, strict=True)
    binned = [_bins(known, now) for known, now in columns]
    expected = np.stack([known.mean(axis=0) for known, _ in binned])
    found = distances(np.stack([now.mean(axis=0) for _, now in binned])[None], expected)
    usual = distances(np.stack([_stretches(known, length) for known, _ in binned], axis=1), expected)
    return _tell(list(map(str, training.columns)), found, usual, (len(recent), rules))


def distances(shares: NDArray[np.float64], expected: NDArray[np.float64]) -> Distances:
    """Population stability index and Kolmogorov-Smirnov distance, from bins.

    ``PSI = sum((a - e) ln(a / e))`` over the shares ``a`` of the rows and ``e`` of the training rows in each bin
    (Siddiqi 2006, "Credit Risk Scorecards"); the other is the largest difference of their sums up to the end of a bin.

    Args:
        shares: Of each stretch's rows, ``[stretch, feature, bin]``.
        expected: Of all training rows, ``[feature, bin]``.
    """
    ks = np.abs(np.cumsum(shares - expected, axis=-1)).max(axis=-1)
    actual, usual = np.maximum(shares, _LEAST_SHARE), np.maximum(expected, _LEAST_SHARE)
    return Distances(((actual - usual) * np.log(actual / usual)).sum(axis=-1), ks)


def _bins(known: NDArray[np.float64], now: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """1 in the bin that each row is in, 0 in the others, ``[row, bin]``; the training rows say where bins end."""
    edges = np.quantile(known, np.arange(1, BINS) / BINS)
    old, new = (np.eye(BINS)[np.searchsorted(edges, values)] for values in (known, now))
    return old, new


def _stretches(rows: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Mean of every stretch of so many rows, one a day, ``[stretch, bin]``."""
    sums = np.concatenate([np.zeros((1, BINS)), np.cumsum(rows, axis=0)])
    starts = np.arange(0, len(rows) - length + 1, _DAY)
    means: NDArray[np.float64] = (sums[starts + length] - sums[starts]) / length
    return means


def _tell(names: list[str], found: Distances, usual: Distances, settings: tuple[int, DriftRules]) -> Drift:
    rows, rules = settings
    psi, largest = found.psi[0], float(found.psi[0].max())
    p = float((1 + (usual.psi.max(axis=1) >= largest).sum()) / (1 + len(usual.psi)))
    beyond = (usual.psi >= psi).mean(axis=0)
    features = [
        FeatureDrift(name=names[at], psi=float(psi[at]), ks=float(found.ks[0, at]), beyond=float(beyond[at]))
        for at in np.lexsort((-psi, beyond))
    ]
    drifted = largest >= rules.psi and p <= rules.p
    worst = names[int(psi.argmax())]
    told = (
        f"the largest index is {largest:.2f} ({worst}); {p:.0%} of the stretches of {rules.days} days that the model"
        f" was fitted on are as far from the rest"
    )
    return Drift(
        rows=rows, stretches=len(usual.psi), psi=largest, p=p, drifted=drifted, reason=told, features=tuple(features)
    )
