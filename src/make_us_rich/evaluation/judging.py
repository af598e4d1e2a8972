"""A run before the gate: every challenger's forecasts as they would have been served, and the verdict on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from make_us_rich.domain.forecast import BASELINE
from make_us_rich.domain.judgement import Judged
from make_us_rich.domain.manifest import Verdict
from make_us_rich.evaluation.calibration import Calibration, Quantiles, calibrate_forward, centre
from make_us_rich.evaluation.contest import Contest, Losses, contest, joint_loss
from make_us_rich.evaluation.gate import Evidence, GateRules, judge, judge_edge
from make_us_rich.evaluation.scores import coverage
from make_us_rich.evaluation.walk import LEAD_IN, Walk

CHAMPION = "champion"
"""Name in a walk of what challengers are held against besides the baseline; none where the baseline is being served."""


@dataclass(frozen=True)
class Case:
    """What the gate has to judge by.

    Attributes:
        walk: Forecasts as they were fitted, the lead-in among them.
        gate: Its rules.
        calibration: How widths are calibrated.
        tried: Challengers tried since the last promotion, those of this run among them.
        newer_hours: Candles that the challengers have seen and the champion has not.
    """

    walk: Walk
    gate: GateRules
    calibration: Calibration
    tried: int
    newer_hours: int


@dataclass(frozen=True)
class Served:
    """Forecasts as they would have been served on the day.

    Attributes:
        quantiles: On the folds, without the lead-in, ``[window, horizon, level]``.
        edge: Whether the median is the model's own; where not, it is the last close.
    """

    quantiles: Quantiles
    edge: Verdict


@dataclass(frozen=True)
class Finding:
    """What the gate found of a challenger.

    Attributes:
        verdict: Whether it may be served.
        contest: Against the baseline; None where its losses are not finite.
        coverage_90: Share of the outcomes within its 90 % interval.
    """

    verdict: Verdict
    contest: Contest | None
    coverage_90: float


def serve(case: Case, quantiles: Quantiles) -> Served:
    """Hold the median at the last close unless it has an edge, and calibrate the widths day by day.

    Args:
        case: Of the run.
        quantiles: As they were fitted, the lead-in among them, ``[window, horizon, level]``.
    """
    walk = case.walk
    judged = walk.folds != LEAD_IN
    median = quantiles[:, :, walk.levels.index(0.5)].astype(np.float64)
    missed, moved = (np.abs(errors).mean(axis=1)[judged] for errors in (walk.targets - median, walk.targets))
    edge = judge_edge(missed, moved, walk.folds[judged], case.tried, case.gate)
    held = quantiles if edge.publish else centre(quantiles, walk.levels)
    past = replace(walk, quantiles={"any": held}).past("any")
    return Served(calibrate_forward(past, case.calibration)[judged], edge)


def references(case: Case) -> dict[str, Losses]:
    """Losses on the folds of the baseline, as fitted, and of the champion, as it was served, if there is one."""
    walk = case.walk.judged()
    found = {BASELINE: joint_loss(walk.targets, walk.quantiles[BASELINE], walk.levels)}
    if CHAMPION in walk.quantiles:
        champion = serve(case, case.walk.quantiles[CHAMPION]).quantiles
        found[CHAMPION] = joint_loss(walk.targets, champion, walk.levels)
    return found


def judge_one(case: Case, served: Served, against: Mapping[str, Losses], faults: Sequence[str]) -> Finding:
    """The gate's verdict on one challenger.

    Args:
        case: Of the run.
        served: The challenger's forecasts.
        against: See `references`.
        faults: Why the candles do not do for this challenger.
    """
    walk = case.walk.judged()
    losses = joint_loss(walk.targets, served.quantiles, walk.levels)
    evidence = Evidence(
        challenger=losses,
        baseline=against[BASELINE],
        champion=against.get(CHAMPION),
        folds=walk.folds,
        coverage_90=_coverage_90(walk, served.quantiles),
        faults=tuple(faults),
        tried=case.tried,
        newer_hours=case.newer_hours,
    )
    result = None
    if np.isfinite(losses).all():
        result = contest(losses, against[BASELINE], walk.folds, case.gate.horizon)
    return Finding(judge(evidence, case.gate), result, evidence.coverage_90)


def best(judged: Sequence[Judged]) -> Judged | None:
    """The one with the highest skill: of those that passed, else of all that could be judged; None without any."""
    passed = [each for each in judged if each.verdict.publish]
    scored = [each for each in passed or judged if each.skill is not None]
    return max(scored, key=lambda each: each.skill or 0.0, default=None)


def mean_of(quantiles: Sequence[Quantiles]) -> Quantiles:
    """Mean of several forecasts, quantile by quantile, ``[window, horizon, level]``."""
    mean: NDArray[np.float64] = np.mean(quantiles, axis=0, dtype=np.float64)
    return mean.astype(np.float32)


def _coverage_90(walk: Walk, quantiles: Quantiles) -> float:
    low, high = (quantiles[:, :, walk.levels.index(level)] for level in (0.05, 0.95))
    return float(coverage(walk.targets, low, high).mean())
