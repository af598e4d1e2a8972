"""From a backtest to verdicts: each challenger's forecasts as they would have been served, compared by the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from make_us_rich.backtest.backtest import Backtest, Backtests
from make_us_rich.backtest.calibration import (
    CalibrationParameters,
    Quantiles,
    TargetQuantiles,
    calibrate_forward,
    center_on_last_close,
    settle,
)
from make_us_rich.backtest.comparison import Losses, compare_forecasts, mean_crps
from make_us_rich.backtest.gate import GateInput, GateParameters, apply_edge_gate, apply_gate
from make_us_rich.backtest.scores import coverage, skill
from make_us_rich.domain.evaluation import ChallengerResult
from make_us_rich.domain.forecast import BASELINE, QUANTILE_LEVELS, scored_positions
from make_us_rich.domain.manifest import Verdict

CHAMPION = "champion"
"""Name of the champion in a backtest; absent where the baseline is served, or nothing is."""


@dataclass(frozen=True)
class ServedForecasts:
    """Forecasts of the test folds as they would have been served; without an edge the median is the last close."""

    quantiles: Quantiles
    edge: Verdict


@dataclass(frozen=True)
class BacktestContext:
    """What the gate decides by.

    ``backtests``, by target, have forecasts before calibration, ``n_comparisons`` counts challengers tried since the
    last promotion, those of this run among them, ``newer_hours`` candles that they have seen and the champion has not,
    and ``hold`` says why only a significantly better one replaces it.
    """

    backtests: Backtests
    gate: GateParameters
    calibration: CalibrationParameters
    n_comparisons: int
    newer_hours: int
    hold: str = ""

    @property
    def backtest(self) -> Backtest:
        """That of the closes."""
        return self.backtests["close"]

    @cached_property
    def tested(self) -> Backtests:
        """The test folds."""
        return {target: each.test_folds() for target, each in self.backtests.items()}

    @cached_property
    def baselines(self) -> dict[str, Losses]:
        """The baseline's losses on the test folds, not calibrated, by target."""
        return {target: self.losses(each.quantiles[BASELINE], target) for target, each in self.tested.items()}

    @cached_property
    def champion(self) -> Losses | None:
        """The champion's losses on the test folds, as served; None without one."""
        if CHAMPION not in self.backtest.quantiles:
            return None
        return self.losses(as_served(self, CHAMPION).quantiles["close"])

    def losses(self, quantiles: TargetQuantiles, target: str = "close") -> Losses:
        """Mean CRPS of the scored levels at each origin of the test folds."""
        scored = quantiles[:, :, scored_positions(self.backtest.levels)]
        return mean_crps(self.tested[target].targets, scored, QUANTILE_LEVELS)

    def range_skills(self, quantiles: Quantiles) -> dict[str, float]:
        """Share of the baseline's mean CRPS that is gone, of highs and of lows; NaN where the baseline's is 0."""
        own = {target: self.losses(quantiles[target], target).mean() for target in ("high", "low")}
        return {target: float(skill(loss, self.baselines[target].mean())) for target, loss in own.items()}


def as_served(context: BacktestContext, name: str) -> ServedForecasts:
    """Center a model's closes on the last one unless their median has an edge, and calibrate them day by day."""
    backtest = context.backtest
    tested, quantiles = slice(backtest.first_test, None), backtest.quantiles[name]
    median = quantiles[:, :, backtest.levels.index(0.5)].astype(np.float64)
    point, persistence = (
        np.abs(errors).mean(axis=1)[tested] for errors in (backtest.targets - median, backtest.targets)
    )
    edge = apply_edge_gate(point, persistence, backtest.folds[tested], context.n_comparisons, context.gate)
    served = {}
    for target, each in context.backtests.items():
        past = each.past(name)
        if target == "close" and not edge.publish:
            past = replace(past, quantiles=center_on_last_close(quantiles, backtest.levels))
        served[target] = calibrate_forward(past, context.calibration, tested.start)
    return ServedForecasts(settle(served, in_place=True), edge)


def evaluate_challenger(
    context: BacktestContext,
    name: str,
    recipe: dict[str, dict[str, Any]],
    served: ServedForecasts | None,
    faults: Sequence[str] = (),
) -> ChallengerResult:
    """Bring one challenger before the gate.

    Args:
        context: The run's.
        name: The challenger's.
        recipe: Its hyperparameters by architecture.
        served: Its forecasts; None where the backtest has none of it.
        faults: Reasons against publishing it whatever its losses.
    """
    found: dict[str, Any] = {"architecture": name, "recipe": recipe, "n_comparisons": context.n_comparisons}
    if served is None:
        reason = f"refused: {'; '.join([*faults, context.backtest.refused[name]])}"
        edge = Verdict(publish=False, reason="no edge: there is no forecast to evaluate")
        return ChallengerResult(**found, verdict=Verdict(publish=False, reason=reason), edge=edge)
    tested, quantiles = context.tested["close"], served.quantiles["close"]
    finite = all(np.isfinite(values).all() for values in served.quantiles.values())
    losses = context.losses(quantiles) if finite else np.full(len(tested), np.nan)
    range_skills = context.range_skills(served.quantiles)
    low, high = (quantiles[:, :, tested.levels.index(level)] for level in (0.05, 0.95))
    gate_input = GateInput(
        challenger=losses,
        baseline=context.baselines["close"],
        # A champion of the same recipe was fitted once, and forecasts the same.
        champion=losses
        if context.backtest.quantiles.get(CHAMPION) is context.backtest.quantiles[name]
        else context.champion,
        folds=tested.folds,
        coverage_90=float(coverage(tested.targets, low, high).mean()),
        faults=tuple(faults),
        n_comparisons=context.n_comparisons,
        newer_hours=context.newer_hours,
        hold=context.hold,
        range_skills=range_skills,
    )
    verdict = apply_gate(gate_input, context.gate)
    if np.isfinite(losses).all():
        comparison = compare_forecasts(losses, context.baselines["close"], tested.folds)
        found |= {"skill": comparison.skill, "dm_t": comparison.test.t, "p": comparison.test.p}
        found |= {"folds_won": comparison.won, "folds": comparison.folds}
        found |= {f"{target}_crps_skill": each for target, each in range_skills.items()}
    return ChallengerResult(**found, verdict=verdict, edge=served.edge, coverage_90=gate_input.coverage_90)


def keep_served(backtests: Backtests, served: Mapping[str, ServedForecasts]) -> Backtests:
    """The test folds with the baseline's forecasts and with the others as they would have been served."""
    kept = {}
    for target, backtest in backtests.items():
        tested = backtest.test_folds()
        baseline = {name: values for name, values in tested.quantiles.items() if name == BASELINE}
        others = {name: each.quantiles[target] for name, each in served.items()}
        kept[target] = replace(tested, quantiles=baseline | others)
    return kept
