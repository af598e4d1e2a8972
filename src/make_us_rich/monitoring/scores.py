"""Scores of the served forecasts, and the demotion check: whether they are significantly worse than the baseline's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from make_us_rich.backtest.comparison import diebold_mariano, mean_crps
from make_us_rich.backtest.score_table import INTERVALS, PREFIXES
from make_us_rich.backtest.scores import coverage, skill
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS, TARGETS
from make_us_rich.domain.frozen import FrozenModel
from make_us_rich.domain.live import ALL_HORIZONS, ChampionStatus, HorizonScores, WindowScores
from make_us_rich.monitoring.live_record import quantile_columns

Floats = NDArray[np.float64]

MIN_OUTCOMES = 20
"""With fewer observed outcomes there is a number of them, and no score."""


class DemotionRules(FrozenModel):
    """When a champion is demoted.

    Attributes:
        window_days: Forecasts of the last so many days are compared.
        min_forecasts: With fewer forecasts nothing is compared.
        min_loss: The champion's mean CRPS has to be above the baseline's by more than this share.
        alpha: Significance level of the Diebold-Mariano test. The test runs every hour, so it is far below the gate's.
    """

    window_days: int = Field(default=30, ge=1)
    min_forecasts: int = Field(default=168, gt=HORIZON)
    min_loss: float = Field(default=0.01, ge=0, lt=1)
    alpha: float = Field(default=0.0005, gt=0, lt=1)


@dataclass(frozen=True)
class ScoredForecasts:
    """Served forecasts of one target, oldest first, as log returns on their last closes."""

    targets: Floats  # NaN where pending, [forecast, horizon]
    quantiles: Floats  # NaN where none was recorded, [forecast, horizon, level]
    baseline: Floats  # NaN where none was stored, [forecast, horizon, level]

    @classmethod
    def of(cls, record: pd.DataFrame, target: str = "close") -> ScoredForecasts:
        """The rows of a live record as arrays; each forecast has all its horizons."""
        rows, (own, baseline) = record.sort_values(["issued_at", "horizon"], kind="stable"), quantile_columns(target)
        prices = rows[[f"{PREFIXES[target]}outcome", *own, *baseline]].to_numpy(np.float64)
        returns = np.log(prices / rows[["last_close"]].to_numpy(np.float64)).reshape(-1, HORIZON, prices.shape[1])
        targets, quantiles, of_baseline = np.split(returns, [1, 1 + len(own)], axis=-1)
        return cls(targets[..., 0], quantiles, of_baseline)

    def select(self, forecasts: Any, horizons: Any = slice(None)) -> ScoredForecasts:
        """Some forecasts and horizons, as NumPy indexes them."""
        return ScoredForecasts(*(values[forecasts][:, horizons] for values in vars(self).values()))

    def observed(self) -> ScoredForecasts:
        """The forecasts whose outcomes were all observed."""
        return self.select(np.isfinite(self.targets).all(axis=1) & np.isfinite(self.quantiles).all(axis=(1, 2)))

    def complete(self) -> ScoredForecasts:
        """Those of them which have a baseline."""
        observed = self.observed()
        return observed.select(np.isfinite(observed.baseline).all(axis=(1, 2)))


def compare_with_baseline(forecasts: ScoredForecasts, version: str, rules: DemotionRules) -> ChampionStatus:
    """Compare a champion's served forecasts with the baseline's that were recorded beside them.

    The test is the gate's with exchanged roles: one-sided, by Diebold and Mariano with Harvey's correction, on the mean
    CRPS over the horizons 1 to 24. The forecasts are those of the champion's recipe, since its last demotion.
    """
    complete = forecasts.complete()
    n_forecasts = len(complete.targets)
    if n_forecasts < rules.min_forecasts:
        reason = f"too few forecasts for the demotion check: {n_forecasts} are complete, {rules.min_forecasts} needed"
        return ChampionStatus(version=version, demote=False, reason=reason, n_forecasts=n_forecasts)
    own, baseline = (
        mean_crps(complete.targets, made, QUANTILE_LEVELS) for made in (complete.quantiles, complete.baseline)
    )
    gain, p_value = float(skill(own.mean(), baseline.mean())), diebold_mariano(baseline, own, HORIZON).p
    return ChampionStatus(
        version=version,
        demote=gain < -rules.min_loss and p_value < rules.alpha,
        reason=(
            f"mean CRPS {100 * abs(gain):.2f} % {'below' if gain >= 0 else 'above'} the baseline's in the last"
            f" {rules.window_days} days, p = {p_value:.2g} that it is no worse (below {rules.alpha:g} it is demoted)"
        ),
        n_forecasts=n_forecasts,
        skill=gain,
        p_value=p_value,
    )


def score_window(record: pd.DataFrame, now: datetime, days: int) -> WindowScores:
    """Scores of the forecasts of the last days in a record; ``now`` is the time of the exchange, UTC."""
    recent = record[record["issued_at"] > now - timedelta(days=days)].sort_values("issued_at", kind="stable")
    made = {target: ScoredForecasts.of(recent, target) for target in TARGETS}
    return WindowScores(
        days=days,
        architecture=recent["architecture"].iloc[-1] if len(recent) else None,
        architectures=tuple(recent["architecture"].unique()),
        versions=tuple(recent["version"].unique()),
        n_forecasts=len(made["close"].targets),
        overall=_score(ALL_HORIZONS, {target: each.complete() for target, each in made.items()}),
        horizons=tuple(
            _score(at + 1, {target: each.select(slice(None), [at]).observed() for target, each in made.items()})
            for at in range(HORIZON)
        ),
    )


def pit_shares(targets: Floats, quantiles: Floats) -> Floats:
    """Share of the outcomes between neighbouring quantiles, below the first and above the last, ``[level + 1]``.

    The histogram of the probability integral transform (Dawid 1984, "Present Position and Potential Developments: The
    Prequential Approach", JRSS A 147) with the levels as its borders. An outcome on a quantile counts half on either
    side, for instance a close that has not moved.

    Args:
        targets: Finite, ``[outcome]``.
        quantiles: ``[outcome, level]``.
    """
    bins = quantiles.shape[1] + 1
    above = [compare(targets[:, None], quantiles).sum(axis=1) for compare in (np.greater, np.greater_equal)]
    counts = sum(np.bincount(each, minlength=bins) for each in above)
    shares: Floats = np.asarray(counts, np.float64) / max(2 * len(targets), 1)
    return shares


def _score(horizon: int, observed: dict[str, ScoredForecasts]) -> HorizonScores:
    """Scores of closes, highs and lows whose outcomes were observed; none from fewer than ``MIN_OUTCOMES``."""
    scores: dict[str, Any] = {}
    for target, each in observed.items():
        targets, prefix = each.targets, PREFIXES[target]
        scores[f"{prefix}n_outcomes"] = len(targets)
        if len(targets) < MIN_OUTCOMES:
            continue
        losses, both = mean_crps(targets, each.quantiles, QUANTILE_LEVELS), np.isfinite(each.baseline).all(axis=(1, 2))
        shares = pit_shares(targets.reshape(-1), each.quantiles.reshape(-1, len(QUANTILE_LEVELS)))
        scores |= {f"{prefix}crps": float(losses.mean()), f"{prefix}pit": tuple(shares.tolist())}
        if both.sum() >= MIN_OUTCOMES:
            baseline = float(mean_crps(targets[both], each.baseline[both], QUANTILE_LEVELS).mean())
            scores[f"{prefix}baseline_crps"] = baseline
            scores[f"{prefix}skill"] = float(skill(losses[both].mean(), baseline))
        if target == "close":
            for nominal, levels in INTERVALS.items():
                ends = (each.quantiles[..., QUANTILE_LEVELS.index(level)] for level in levels)
                scores[f"coverage_{nominal}"] = float(coverage(targets, *ends).mean())
    return HorizonScores(horizon=horizon, **scores)
