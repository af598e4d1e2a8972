"""The gate: whether a challenger may be served, from its forecasts of out-of-sample hours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from make_us_rich.backtest.comparison import Losses, compare_forecasts, diebold_mariano
from make_us_rich.backtest.scores import skill
from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.frozen import FrozenModel
from make_us_rich.domain.manifest import Verdict


class GateParameters(FrozenModel):
    """``params:gate``: what a challenger must show to be served.

    Attributes:
        min_folds: Test folds that are needed; 1 or more, default 8.
        min_test_size: Forecast origins (hours) that each of them needs; 1 or more, default 336.
        min_skill: Share of the baseline's mean CRPS that has to be gone, 0 to 1, default 0.0075: where volatility is
            constant, less can come from the noise of the baseline's own estimate.
        min_win_rate: Share of the folds with a lower mean CRPS than the baseline's, 0 to 1, rounded up to whole folds;
            default 0.75.
        alpha: Significance level of the Diebold-Mariano test, between 0 and 1, default 0.05. Against the baseline it is
            divided by the number of comparisons since the last promotion.
        coverage_tolerance: Largest difference of the 90 % interval's coverage from 0.9, between 0 and 1; default 0.03.
        tie_tolerance: Relative difference to the champion's mean CRPS, 0 to 1, below which both are equally good unless
            the difference is significant; default 0.001.
        refresh_hours: Newer hours that an equally good challenger must have seen to replace the champion; 1 or more,
            default 168.
        cooldown_days: Days for which a demoted recipe is not promoted again, and after a rollback only a significantly
            better challenger; 0 or more, default 14.
    """

    min_folds: int = Field(default=8, ge=1)
    min_test_size: int = Field(default=336, ge=1)
    min_skill: float = Field(default=0.0075, ge=0, lt=1)
    min_win_rate: float = Field(default=0.75, ge=0, le=1)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    coverage_tolerance: float = Field(default=0.03, gt=0, lt=1)
    tie_tolerance: float = Field(default=1e-3, ge=0, lt=1)
    refresh_hours: int = Field(default=168, ge=1)
    cooldown_days: int = Field(default=14, ge=0)


@dataclass(frozen=True)
class GateInput:
    """What is known of a challenger; all losses are `mean_crps` at the same origins.

    Attributes:
        challenger: Its losses.
        baseline: The baseline's.
        champion: The losses of the model that is served; None where that is the baseline, or nothing is served.
        folds: Number of each origin's fold, ``[window]``.
        coverage_90: Share of the outcomes within its 90 % interval, over all folds and horizons, 0 to 1.
        faults: Reasons against publishing it whatever its losses; empty if there are none.
        n_comparisons: Challengers tried since the last promotion, this one among them.
        newer_hours: Candles that it has seen and the champion has not.
        hold: Why only a significantly better challenger replaces the champion; empty if an equal one may.
        range_skills: Share of the baseline's mean CRPS that is gone, of ``high`` and ``low``.
    """

    challenger: Losses
    baseline: Losses
    champion: Losses | None
    folds: NDArray[np.intp]
    coverage_90: float
    faults: tuple[str, ...] = ()
    n_comparisons: int = 1
    newer_hours: int = 0
    hold: str = ""
    range_skills: Mapping[str, float] = field(default_factory=dict)


def apply_gate(gate_input: GateInput, parameters: GateParameters) -> Verdict:
    """Decide on a challenger.

    It is published if there are no faults, its mean CRPS is below the baseline's by ``min_skill`` and in enough folds,
    the difference is significant among as many challengers as were tried, its 90 % interval covers close to 90 %, its
    highs and lows are not worse than the baseline's, and it is better than the champion, or equally good and trained on
    newer candles; while the champion is held, only if it is significantly better. Where only that stands against it,
    nothing changes, and the reason says so.

    Returns:
        The verdict; its reason names every rule that is not satisfied, or the figures that satisfy them.

    Raises:
        DataError: Losses and folds are not at the same origins.
    """
    challenger, baseline, folds = gate_input.challenger, gate_input.baseline, gate_input.folds
    champion = baseline if gate_input.champion is None else gate_input.champion
    if any(losses.shape != folds.shape for losses in (challenger, baseline, champion)):
        shapes = f"{challenger.shape}, {baseline.shape}, {champion.shape}"
        raise DataError(f"losses of shape {shapes} for folds of {folds.shape}", "use the same origins")
    if missing := _missing_evidence(challenger, baseline, folds, parameters):
        return Verdict(publish=False, reason=f"refused: {'; '.join([*gate_input.faults, *missing])}")
    subject = "mean CRPS", "the baseline's"
    figures, failures = _compare(challenger, baseline, folds, gate_input.n_comparisons, parameters, subject)
    standing, reason = _compare_with_champion(gate_input, parameters)
    held, tolerance = 100 * gate_input.coverage_90, 100 * parameters.coverage_tolerance
    allowed = f"{90 - tolerance:g} to {90 + tolerance:g}"
    rules = {
        # The slack lets a difference of exactly the limit pass in spite of rounding; NaN fails.
        f"the 90 % interval holds {held:.1f} % of the outcomes, {allowed} are allowed": (
            abs(held - 90) <= tolerance + 1e-10
        ),
        f"not better than the champion: {reason}": standing != "worse",
        **{
            f"its {target}s are {-100 * share:.2f} % worse than the baseline's": not share < 0
            for target, share in gate_input.range_skills.items()
        },
    }
    against = [*gate_input.faults, *failures, *(broken for broken, holds in rules.items() if not holds)]
    if against:
        return Verdict(publish=False, reason=f"refused: {'; '.join(against)}")
    if standing == "equal":
        return Verdict(publish=False, reason=f"unchanged: {reason}")
    in_favour = [figures, f"the 90 % interval holds {held:.1f} %", *([reason] if reason else [])]
    return Verdict(publish=True, reason="; ".join(in_favour))


def apply_edge_gate(
    point: Losses, persistence: Losses, folds: NDArray[np.intp], n_comparisons: int, parameters: GateParameters
) -> Verdict:
    """Decide whether a point forecast other than the last close may be shown; ``publish`` says so.

    It must pass the same tests against persistence as a challenger against the baseline, without a minimum skill. The
    losses are absolute errors of the median and of the last close, mean over the horizons, ``[window]``.
    """
    if np.array_equal(point, persistence):
        return Verdict(publish=False, reason="no edge: the point forecast is the last close")
    figures, failures = "", _missing_evidence(point, persistence, folds, parameters)
    if not failures:
        rules, subject = parameters.model_copy(update={"min_skill": 0}), ("mean absolute error", "persistence's")
        figures, failures = _compare(point, persistence, folds, n_comparisons, rules, subject)
    if failures:
        return Verdict(publish=False, reason=f"no edge: {'; '.join(failures)}")
    return Verdict(publish=True, reason=f"edge: {figures}")


def _missing_evidence(
    losses: Losses, reference: Losses, folds: NDArray[np.intp], parameters: GateParameters
) -> list[str]:
    """Why the losses cannot be compared."""
    sizes = np.unique(folds, return_counts=True)[1].tolist()
    smallest = min(sizes, default=0)
    enough = len(sizes) >= parameters.min_folds and smallest >= parameters.min_test_size
    needed = f"{parameters.min_folds} of {parameters.min_test_size} are needed"
    rules = {
        "its losses are not finite numbers": bool(np.isfinite([losses, reference]).all()),
        f"evaluated on {len(sizes)} folds of {smallest} hours, {needed}": enough,
        "cannot be evaluated: the price did not move": not enough or bool(reference.any()),
    }
    return [broken for broken, holds in rules.items() if not holds]


def _compare(
    losses: Losses,
    reference: Losses,
    folds: NDArray[np.intp],
    n_comparisons: int,
    parameters: GateParameters,
    subject: tuple[str, str],
) -> tuple[str, list[str]]:
    """The figures against a reference, and the rules that they break: on average, in enough folds, significantly."""
    found = compare_forecasts(losses, reference, folds)
    gain = f"{subject[0]} {100 * abs(found.skill):.2f} % {'below' if found.skill > 0 else 'above'} {subject[1]}"
    won = f"{found.won} of {found.folds} folds won"
    needed = math.ceil(round(parameters.min_win_rate * found.folds, 9))
    alpha = parameters.alpha / max(n_comparisons, 1)
    limit = f"{parameters.alpha:g}"
    if n_comparisons > 1:
        limit += f" / {n_comparisons} = {alpha:.2g} after {n_comparisons} challengers"
    rules = {
        gain: found.skill > 0,
        f"{gain}, {100 * parameters.min_skill:g} % are needed": not 0 < found.skill < parameters.min_skill,
        f"{won}, {needed} are needed": found.won >= needed,
        f"p = {found.test.p:.2g}, less than {limit} is needed": found.test.p < alpha,
    }
    failures = [broken for broken, holds in rules.items() if not holds]
    return f"{gain}, {won}, p = {found.test.p:.2g} (less than {limit})", failures


def _compare_with_champion(
    gate_input: GateInput, parameters: GateParameters
) -> tuple[Literal["better", "equal", "worse"], str]:
    """Whether the challenger may replace the champion, and why; no reason where there is no champion."""
    challenger, champion = gate_input.challenger, gate_input.champion
    if champion is None:
        return "better", ""
    if not np.isfinite(champion).all():
        return "better", "the champion's losses are not finite numbers"
    gain = float(skill(challenger.mean(), champion.mean()))
    p = diebold_mariano(challenger, champion, HORIZON).p
    if (gain >= parameters.tie_tolerance and not gate_input.hold) or (gain > 0 and p < parameters.alpha):
        return "better", f"{100 * gain:.2f} % below the champion's mean CRPS"
    if gain <= -parameters.tie_tolerance or (gain < 0 and 1 - p < parameters.alpha):
        return "worse", f"mean CRPS {100 * abs(gain):.2f} % above its own"
    if gate_input.hold:
        return "equal", gate_input.hold
    newer, needed = gate_input.newer_hours, parameters.refresh_hours
    if newer >= needed:
        return "better", f"as good as the champion and made from {newer} newer hours"
    seen = f"{newer} h of newer candles, {needed} h are needed" if newer > 0 else "no newer candles"
    return "equal", f"as good as the champion, which stays; {seen}"
