"""Scores of every model that was walked, by horizon, fold and volatility, the baseline's beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from make_us_rich.domain.forecast import BASELINE
from make_us_rich.evaluation.calibration import Quantiles
from make_us_rich.evaluation.scores import coverage, crps, directional_accuracy, mae, mape, rmse, skill
from make_us_rich.evaluation.significance import diebold_mariano
from make_us_rich.evaluation.walk import Walk

INTERVALS = {50: (0.25, 0.75), 80: (0.1, 0.9), 90: (0.05, 0.95)}
"""Nominal coverage in per cent to the levels of the interval's ends."""

ALL = 0
"""In place of the number of a fold or horizon: all of them."""

ANY = "all"
"""In place of a tercile of volatility: all of them."""

TERCILES = ("low", "middle", "high")
"""Of volatility, ascending."""

KEYS = ("architecture", "fold", "volatility", "horizon", "windows")
"""What a row is about; its other columns are scores."""

Columns = dict[str, NDArray[np.float64]]


def score_walk(walk: Walk) -> pd.DataFrame:
    """Every score of every model, for all windows, each fold and each tercile of volatility.

    The terciles are cut where a third and two thirds of the windows lie by the width of the baseline's 90 % interval at
    one hour, which was known at the origin. Windows of the same width share a tercile, the lower one; so where widths
    tie, terciles differ in size, and one without windows has no rows.

    Args:
        walk: What is judged, without a lead-in, its quantiles as they are to be judged, the baseline's among them.

    Returns:
        One row an architecture, scope and horizon, and one with the horizon ``ALL`` for the mean of a score over all of
        them. ``architecture``; ``fold``, or ``ALL``; ``volatility``, one of ``TERCILES``, at the fold ``ALL`` only, or
        ``ANY``; ``horizon`` (hours); ``windows``; ``crps`` (log return); ``coverage_*`` (share); ``rmse``, ``mae``
        (quote currency); ``mape`` (share); ``mase`` (in naive errors of the fold's training rows);
        ``directional_accuracy`` (share); the same of the baseline as ``baseline_*``; ``crps_skill``; and ``dm_t``,
        ``dm_p`` of the Diebold-Mariano test on the CRPS (its mean over the horizons at ``ALL``), NaN elsewhere than in
        the scope of all windows and where a loss is not finite or there are too few. No row of a walk without windows.
    """
    if not len(walk):
        return pd.DataFrame(columns=list(KEYS))
    return pd.concat([table for scope in _scopes(walk) for table in _score(walk, scope)], ignore_index=True)


def terciles(walk: Walk) -> NDArray[np.intp]:
    """Position in ``TERCILES`` of each window, ``[window]``; see `score_walk`."""
    low, high = (walk.quantiles[BASELINE][:, 0, walk.levels.index(level)] for level in INTERVALS[90])
    widths = high - low
    return np.searchsorted(np.quantile(widths, [1 / 3, 2 / 3]), widths)


@dataclass(frozen=True)
class _Scope:
    """The windows of a fold or a tercile, or all: a mask, ``[window]``."""

    fold: int
    volatility: str
    chosen: NDArray[np.bool_]

    @property
    def whole(self) -> bool:
        return self.fold == ALL and self.volatility == ANY


def _scopes(walk: Walk) -> Iterator[_Scope]:
    yield _Scope(ALL, ANY, np.full(len(walk), True))
    for fold in np.unique(walk.folds):
        yield _Scope(int(fold), ANY, walk.folds == fold)
    positions = terciles(walk)
    for position in np.unique(positions):
        yield _Scope(ALL, TERCILES[position], positions == position)


def _score(walk: Walk, scope: _Scope) -> Iterator[pd.DataFrame]:
    part = walk.at(scope.chosen)
    reference = _scores(part, BASELINE)
    for name in walk.quantiles:
        own = reference if name == BASELINE else _scores(part, name)
        columns = {
            **own,
            **{f"baseline_{score}": values for score, values in reference.items()},
            "crps_skill": skill(own["crps"], reference["crps"]),
        }
        if scope.whole:
            columns |= _tests(part, name)
        told = {"architecture": name, "fold": scope.fold, "volatility": scope.volatility}
        yield pd.DataFrame({**told, "horizon": np.arange(len(own["crps"])), "windows": len(part), **columns})


def _scores(walk: Walk, name: str) -> Columns:
    """By score, the mean over the horizons before them, ``[1 + horizon]``."""
    quantiles = walk.quantiles[name]
    ends = {level: quantiles[:, :, index] for index, level in enumerate(walk.levels)}
    covered = {
        f"coverage_{nominal}": coverage(walk.targets, ends[low], ends[high])
        for nominal, (low, high) in INTERVALS.items()
    }
    scores = {
        "crps": crps(walk.targets, quantiles, walk.levels).mean(axis=0),
        **covered,
        **_point_scores(walk, ends[0.5]),
        "directional_accuracy": directional_accuracy(walk.targets, ends[0.5]),
    }
    return {score: np.insert(values, ALL, values.mean()) for score, values in scores.items()}


def _point_scores(walk: Walk, median: Quantiles) -> Columns:
    closes, naive = walk.closes[:, None], walk.naive_errors[:, None]
    actual, points = closes * np.exp(walk.targets), closes * np.exp(median.astype(np.float64))
    # Each window in the naive error of its own fold.
    scaled = mae(actual / naive, points / naive)
    return {"rmse": rmse(actual, points), "mae": mae(actual, points), "mape": mape(actual, points), "mase": scaled}


def _tests(walk: Walk, name: str) -> Columns:
    """The Diebold-Mariano test at each horizon, that of the joint loss before them, ``[1 + horizon]``."""
    own, reference = (_losses(walk, model) for model in (name, BASELINE))
    last = own.shape[1] - 1
    results = [_test(own[:, at], reference[:, at], at or last) for at in range(last + 1)]
    return {"dm_t": np.array([t for t, _ in results]), "dm_p": np.array([p for _, p in results])}


def _losses(walk: Walk, name: str) -> NDArray[np.float64]:
    losses = crps(walk.targets, walk.quantiles[name], walk.levels)
    return np.column_stack([losses.mean(axis=1), losses])


def _test(losses: NDArray[np.float64], reference: NDArray[np.float64], horizon: int) -> tuple[float, float]:
    if len(losses) <= horizon or not np.isfinite([losses, reference]).all():
        return np.nan, np.nan
    result = diebold_mariano(losses, reference, horizon)
    return result.t, result.p
