"""How good the forecasts were that were served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.domain.live import ALL, LiveAtHorizon, LiveWindow
from make_us_rich.evaluation.contest import Losses, joint_loss
from make_us_rich.evaluation.scores import coverage, crps, skill
from make_us_rich.evaluation.table import INTERVALS
from make_us_rich.live.record import BASELINE, QUANTILES

Floats = NDArray[np.float64]
_UTC_MS = "datetime64[ms]"


@dataclass(frozen=True)
class Lived:
    """Forecasts that were served, oldest first, as log returns on their last closes.

    Attributes:
        issued_at: UTC, ``datetime64[ms]``, ``[forecast]``.
        recipes: Identifier of the model's hyperparameters, ``[forecast]``.
        targets: What came true; NaN where it has not, ``[forecast, horizon]``.
        quantiles: ``[forecast, horizon, level]``.
        baseline: NaN where none was stored beside the model, ``[forecast, horizon, level]``.
    """

    issued_at: NDArray[np.datetime64]
    recipes: NDArray[np.object_]
    targets: Floats
    quantiles: Floats
    baseline: Floats

    def __len__(self) -> int:
        return len(self.issued_at)

    def at(self, chosen: NDArray[np.bool_]) -> Lived:
        """The chosen forecasts; a mask, ``[forecast]``."""
        return replace(
            self,
            issued_at=self.issued_at[chosen],
            recipes=self.recipes[chosen],
            targets=self.targets[chosen],
            quantiles=self.quantiles[chosen],
            baseline=self.baseline[chosen],
        )

    def since(self, moment: datetime) -> Lived:
        """Those issued after a moment, UTC."""
        later: NDArray[np.bool_] = np.asarray(self.issued_at > np.datetime64(moment.replace(tzinfo=None), "ms"))
        return self.at(later)

    def whole(self) -> Lived:
        """Those whose every outcome has come, with a baseline beside them."""
        came = np.isfinite(self.targets).all(axis=1)
        beside = np.isfinite(self.baseline).all(axis=(1, 2))
        return self.at(np.logical_and(came, beside))

    def losses(self) -> tuple[Losses, Losses]:
        """The joint losses of the forecasts and of the baseline, which the gate judges by as well, ``[forecast]``."""
        own, baseline = (joint_loss(self.targets, made, QUANTILE_LEVELS) for made in (self.quantiles, self.baseline))
        return own, baseline


def live_through(record: pd.DataFrame) -> Lived:
    """The record as arrays.

    Args:
        record: Each forecast with all its horizons; in any order.
    """
    rows = record.sort_values(["issued_at", "horizon"], kind="stable")
    prices = rows[["outcome", *QUANTILES, *BASELINE]].to_numpy(np.float64) / rows[["last_close"]].to_numpy(np.float64)
    returns = np.log(prices).reshape(-1, HORIZON, 1 + len(QUANTILES) + len(BASELINE))
    first = rows.iloc[::HORIZON]
    issued: NDArray[np.datetime64] = first["issued_at"].dt.tz_localize(None).to_numpy().astype(_UTC_MS)
    return Lived(
        issued_at=issued,
        recipes=first["recipe"].to_numpy(object),
        targets=returns[:, :, 0],
        quantiles=returns[:, :, 1 : 1 + len(QUANTILES)],
        baseline=returns[:, :, 1 + len(QUANTILES) :],
    )


def score_windows(lived: Lived, now: datetime, windows: Sequence[int]) -> tuple[LiveWindow, ...]:
    """Scores over the last days, for several numbers of them."""
    return tuple(_score(lived.since(now - timedelta(days=days)), days) for days in windows)


def pit_shares(targets: Floats, quantiles: Floats) -> Floats:
    """Share of the outcomes between neighbouring quantiles, below the first and above the last, ``[level + 1]``.

    The histogram of the probability integral transform (Dawid 1984, "Present Position and Potential Developments: The
    Prequential Approach", JRSS A 147) with the levels as its borders. An outcome on a quantile counts half on either
    side, as a close does that has not moved.

    Args:
        targets: Finite, ``[outcome]``.
        quantiles: ``[outcome, level]``.
    """
    bins = quantiles.shape[1] + 1
    above = [(compare(targets[:, None], quantiles)).sum(axis=1) for compare in (np.greater, np.greater_equal)]
    counts = sum(np.bincount(each, minlength=bins) for each in above)
    shares: Floats = np.asarray(counts, np.float64) / max(2 * len(targets), 1)
    return shares


def _score(lived: Lived, days: int) -> LiveWindow:
    whole = lived.whole()
    horizons = tuple(_at_horizon(lived, at) for at in range(HORIZON))
    return LiveWindow(days=days, forecasts=len(lived), whole=_mean(whole), horizons=horizons)


def _mean(whole: Lived) -> LiveAtHorizon:
    """All horizons of the forecasts of which everything has come."""
    quantiles, baseline = (each.reshape(-1, each.shape[-1]) for each in (whole.quantiles, whole.baseline))
    return _scores(ALL, len(whole), (whole.targets.reshape(-1), quantiles, baseline))


def _at_horizon(lived: Lived, at: int) -> LiveAtHorizon:
    came = np.isfinite(lived.targets[:, at])
    made = lived.targets[came, at], lived.quantiles[came, at], lived.baseline[came, at]
    return _scores(at + 1, int(came.sum()), made)


def _scores(horizon: int, forecasts: int, made: tuple[Floats, Floats, Floats]) -> LiveAtHorizon:
    """Scores of ``[outcome]``, ``[outcome, level]`` and the baseline's ``[outcome, level]``; empty without outcomes."""
    targets, quantiles, baseline = made
    if not len(targets):
        return LiveAtHorizon(horizon=horizon, forecasts=0)
    both = np.isfinite(baseline).all(axis=1)
    own, reference = (_crps(targets[both], each[both]) for each in (quantiles, baseline))
    return LiveAtHorizon(
        horizon=horizon,
        forecasts=forecasts,
        crps=_crps(targets, quantiles),
        baseline_crps=reference,
        skill=float(skill(own, reference)) if own is not None and reference else None,
        coverage_50=_covered(targets, quantiles, 50),
        coverage_80=_covered(targets, quantiles, 80),
        coverage_90=_covered(targets, quantiles, 90),
        pit=tuple(map(float, pit_shares(targets, quantiles))),
    )


def _crps(targets: Floats, quantiles: Floats) -> float | None:
    return float(crps(targets, quantiles, QUANTILE_LEVELS).mean()) if len(targets) else None


def _covered(targets: Floats, quantiles: Floats, nominal: int) -> float:
    low, high = (quantiles[:, QUANTILE_LEVELS.index(level)] for level in INTERVALS[nominal])
    return float(coverage(targets, low, high))
