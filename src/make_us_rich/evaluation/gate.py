"""The gate: whether a challenger may be served, from what it did on hours that its fits had not seen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.manifest import Verdict
from make_us_rich.evaluation.contest import Contest, Losses, contest
from make_us_rich.evaluation.scores import skill


class GateRules(BaseModel):
    """What a challenger must show; docs/adr/0011-the-gate.md has the arithmetic.

    Attributes:
        folds: The fewest folds that are judged.
        fold_hours: The fewest origins of each.
        least_skill: Share of the baseline's mean CRPS that has to be gone: where volatility never changes, less than
            this is to be had from the wandering of the baseline's alone.
        folds_won: Share of the folds in which it must beat the baseline, rounded up to whole folds.
        p_value: Of the Diebold-Mariano test, divided by the number of challengers tried.
        coverage_points: How far the 90 % interval's coverage may be from 0.9.
        tie: Relative difference to the champion up to which both are equally good: what rounding does.
        refresh_hours: An equally good challenger replaces the champion if it has seen as many newer hours.
        cooldown_days: A recipe that was demoted is not promoted again for so long.
        horizon: Hours ahead that the losses cover.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folds: int = Field(default=8, ge=1)
    fold_hours: int = Field(default=336, ge=1)
    least_skill: float = Field(default=0.0075, ge=0, lt=1)
    folds_won: float = Field(default=0.75, ge=0, le=1)
    p_value: float = Field(default=0.05, gt=0, lt=1)
    coverage_points: float = Field(default=0.03, gt=0, lt=1)
    tie: float = Field(default=1e-4, ge=0, lt=1)
    refresh_hours: int = Field(default=168, ge=1)
    cooldown_days: int = Field(default=14, ge=0)
    horizon: int = Field(default=HORIZON, ge=1)


@dataclass(frozen=True)
class Evidence:
    """What is known of a challenger; all losses are `joint_loss` at the same origins, each fold fitted on its own.

    Attributes:
        challenger: Its losses.
        baseline: The baseline's.
        champion: Those of the model being served; None where it is the baseline or there is none.
        folds: Number of each origin's fold, ``[window]``.
        coverage_90: Share of the outcomes within its 90 % interval, over all folds and horizons, 0 to 1.
        faults: Why the candles are not fresh and whole, in words; empty if they are.
        tried: Challengers tried since the last promotion, this one among them.
        newer_hours: Candles that it has seen and the champion has not.
    """

    challenger: Losses
    baseline: Losses
    champion: Losses | None
    folds: NDArray[np.intp]
    coverage_90: float
    faults: tuple[str, ...] = ()
    tried: int = 1
    newer_hours: int = 0


def judge(evidence: Evidence, rules: GateRules | None = None) -> Verdict:
    """Decide on a challenger.

    It is published if the candles are fresh and whole, if its mean loss is below the baseline's over all folds and in
    enough of them, if the Diebold-Mariano test says that this is no luck even among as many as were tried, if its
    90 % interval holds close to 90 %, and if it is better than the champion, or equally good and made from newer
    candles.

    Returns:
        The verdict; its reason names every rule that was broken, or the figures that all of them were kept by.

    Raises:
        DataError: Losses and folds are not at the same origins.
    """
    chosen = rules or GateRules()
    _check_origins(evidence)
    against = tuple(_against(evidence, chosen))
    if against:
        return Verdict(publish=False, reason=f"refused: {'; '.join(against)}")
    return Verdict(publish=True, reason="; ".join(_in_favour(evidence, chosen)))


def judge_edge(
    point: Losses, persistence: Losses, folds: NDArray[np.intp], tried: int = 1, rules: GateRules | None = None
) -> Verdict:
    """Whether a point forecast other than the last close may be shown; ``publish`` says so.

    It has to pass the same tests against persistence as a challenger against the baseline.

    Args:
        point: Absolute error of the forecast's median, mean over the horizons, ``[window]``.
        persistence: The same of the last close.
        folds: Number of each origin's fold, ``[window]``.
        tried: Point forecasts tried since the last promotion, this one among them.
        rules: None: the defaults.
    """
    chosen = rules or GateRules()
    if np.array_equal(point, persistence):
        return Verdict(publish=False, reason="no edge: the point forecast is the last close")
    doubts = tuple(_not_judged(folds, [point, persistence], chosen))
    if not doubts:
        result = contest(point, persistence, folds, chosen.horizon)
        doubts = tuple(_not_better(result, tried, chosen, _ABSOLUTE_ERROR))
        if not doubts:
            return Verdict(publish=True, reason=f"edge: {_advantage(result, tried, chosen, _ABSOLUTE_ERROR)}")
    return Verdict(publish=False, reason=f"no edge: {'; '.join(doubts)}")


def fall_back(refused: Mapping[str, Verdict], faults: tuple[str, ...] = ()) -> Verdict:
    """Verdict on serving the baseline where no model is being served and none has passed.

    Args:
        refused: Verdict on each challenger by architecture.
        faults: Why the candles are not fresh and whole, in words.
    """
    if faults:
        return Verdict(publish=False, reason=f"refused: {'; '.join(faults)}")
    told = "; ".join(f"{name} {verdict.reason}" for name, verdict in refused.items())
    return Verdict(publish=True, reason=f"no edge: the baseline is served ({told or 'there was no challenger'})")


@dataclass(frozen=True)
class _Measure:
    """What is compared, and with whom."""

    name: str
    reference: str


_CRPS = _Measure("mean CRPS", "the baseline's")
_ABSOLUTE_ERROR = _Measure("mean absolute error", "persistence's")


def _against(evidence: Evidence, rules: GateRules) -> Iterator[str]:
    yield from evidence.faults
    losses = [evidence.challenger, evidence.baseline]
    unjudged = tuple(_not_judged(evidence.folds, losses, rules))
    if unjudged:
        yield from unjudged
        return
    result = contest(evidence.challenger, evidence.baseline, evidence.folds, rules.horizon)
    yield from _not_better(result, evidence.tried, rules, _CRPS)
    if 0 < result.skill < rules.least_skill:
        yield f"mean CRPS {100 * result.skill:.2f} % below the baseline's, {100 * rules.least_skill:g} % are needed"
    yield from _not_covering(evidence.coverage_90, rules)
    yield from _not_above_champion(evidence, rules)


def _in_favour(evidence: Evidence, rules: GateRules) -> Iterator[str]:
    result = contest(evidence.challenger, evidence.baseline, evidence.folds, rules.horizon)
    yield _advantage(result, evidence.tried, rules, _CRPS)
    yield f"the 90 % interval holds {100 * evidence.coverage_90:.1f} %"
    gain = _gain(evidence)
    if gain is None:
        return
    if math.isinf(gain):
        yield "the champion's losses are not finite numbers"
    elif gain > rules.tie:
        yield f"{100 * gain:.2f} % below the champion's mean CRPS"
    else:
        yield f"as good as the champion and made from {evidence.newer_hours} newer hours"


def _not_judged(folds: NDArray[np.intp], losses: list[Losses], rules: GateRules) -> Iterator[str]:
    if not all(np.isfinite(values).all() for values in losses):
        yield "its losses are not finite numbers"
    sizes = np.unique(folds, return_counts=True)[1].tolist()
    least = min(sizes, default=0)
    if len(sizes) < rules.folds or least < rules.fold_hours:
        yield f"judged on {len(sizes)} folds of {least} hours, {rules.folds} of {rules.fold_hours} are needed"


def _not_better(result: Contest, tried: int, rules: GateRules, measure: _Measure) -> Iterator[str]:
    if not result.skill > 0:
        yield f"{measure.name} {100 * abs(result.skill):.2f} % above {measure.reference}"
    needed = math.ceil(round(rules.folds_won * result.folds, 9))
    if result.won < needed:
        yield f"{result.won} of {result.folds} folds won, {needed} are needed"
    hurdle = rules.p_value / max(tried, 1)
    if not result.test.p < hurdle:
        yield f"p = {result.test.p:.2g}, less than {_hurdle(tried, rules)} is needed"


def _not_covering(coverage_90: float, rules: GateRules) -> Iterator[str]:
    # Written so that NaN fails; the slack lets a difference of exactly the limit pass in spite of rounding.
    if not abs(coverage_90 - _NOMINAL) <= rules.coverage_points + 1e-12:
        low, high = 100 * (_NOMINAL - rules.coverage_points), 100 * (_NOMINAL + rules.coverage_points)
        yield f"the 90 % interval holds {100 * coverage_90:.1f} % of the outcomes, {low:g} to {high:g} are allowed"


def _not_above_champion(evidence: Evidence, rules: GateRules) -> Iterator[str]:
    gain = _gain(evidence)
    if gain is None or gain > rules.tie:
        return
    if gain < -rules.tie:
        yield f"not better than the champion: mean CRPS {100 * abs(gain):.2f} % above its own"
    elif evidence.newer_hours < rules.refresh_hours:
        yield (
            f"not better than the champion: the same mean CRPS, and {evidence.newer_hours} newer hours seen where"
            f" {rules.refresh_hours} would do"
        )


def _gain(evidence: Evidence) -> float | None:
    """Share of the champion's mean loss that is gone; infinite where its forecasts broke, None without a champion."""
    if evidence.champion is None:
        return None
    if not np.isfinite(evidence.champion).all():
        return math.inf
    return float(skill(evidence.challenger.mean(), evidence.champion.mean()))


def _advantage(result: Contest, tried: int, rules: GateRules, measure: _Measure) -> str:
    return (
        f"{measure.name} {100 * result.skill:.2f} % below {measure.reference}, {result.won} of {result.folds} folds"
        f" won, p = {result.test.p:.2g} (less than {_hurdle(tried, rules)})"
    )


def _hurdle(tried: int, rules: GateRules) -> str:
    if tried <= 1:
        return f"{rules.p_value:g}"
    return f"{rules.p_value:g} / {tried} = {rules.p_value / tried:.2g} after {tried} challengers"


def _check_origins(evidence: Evidence) -> None:
    losses = [evidence.challenger, evidence.baseline, *([] if evidence.champion is None else [evidence.champion])]
    if any(values.shape != evidence.folds.shape for values in losses):
        shapes = ", ".join(str(values.shape) for values in losses)
        raise DataError(f"losses of shape {shapes} for folds of {evidence.folds.shape}; judge all at the same origins")


_NOMINAL = 0.9
