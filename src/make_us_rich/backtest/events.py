"""How good a backtest's probabilities were: of closes beyond a price, of touches, of losses, and of whole paths."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from make_us_rich.backtest.backtest import Backtests
from make_us_rich.backtest.probability_scores import (
    backtest_value_at_risk,
    brier_score,
    calibration_error,
    energy_score,
    reliability_curve,
)
from make_us_rich.backtest.scores import skill
from make_us_rich.domain.distribution import normal_scores, probability_above, probability_below
from make_us_rich.domain.evaluation import AtRisk, EnergyScore, EventScores, ProbabilityScores
from make_us_rich.domain.forecast import BASELINE, MIN_SCENARIOS, TARGETS
from make_us_rich.domain.scenarios import grid_rows, scenario_ranks, scenarios

Floats = NDArray[np.float64]

HORIZONS = (1, 4, 24)
DISTANCES = (0.5, 1.0, 1.5, 2.0)
"""Distances of the prices from the last close, in standard deviations of the baseline's forecast, on both sides."""
RISK_LEVELS = (0.05, 0.01)
MIN_EXPECTED = 5
"""A value at risk is tested where this many exceedances are expected."""
PATHS = 200
"""Scenarios of each forecast, for the time that their distances take grows with the square."""


def score_events(backtests: Backtests, name: str, seed: int) -> EventScores:
    """Score one model's probabilities, the baseline's beside them.

    Args:
        backtests: The test folds by target, quantiles as served, the baseline's among them.
        name: The model.
        seed: Of the draw that breaks ties among ranks.

    Returns:
        Without entries where there is no window.
    """
    if not len(backtests["close"]):
        return EventScores()
    events = [_score_event(backtests, name, event, horizon) for event in ("close", "touch") for horizon in HORIZONS]
    return EventScores(
        probabilities=tuple(events),
        risks=tuple(_score_risks(backtests, name)),
        energy=_score_paths(backtests, name, seed),
    )


def _score_event(backtests: Backtests, name: str, event: str, horizon: int) -> ProbabilityScores:
    said, reference, happened = (np.stack(each) for each in zip(*_events(backtests, name, event, horizon), strict=True))
    # One climatology for each price: pooled, a forecast would be credited with knowing near prices from far ones.
    own = np.stack([brier_score(*each) for each in zip(said, happened, strict=True)], axis=1)
    score, reliability, resolution, uncertainty = own.mean(axis=1).tolist()
    baseline = [brier_score(*each).score for each in zip(reference, happened, strict=True)]
    return ProbabilityScores(
        event=event,
        horizon=horizon,
        outcomes=happened.size,
        error=calibration_error(said.ravel(), happened.ravel()),
        brier=score,
        baseline_brier=float(np.mean(baseline)),
        climatology_brier=uncertainty,
        reliability=reliability,
        resolution=resolution,
        bins=reliability_curve(said.ravel(), happened.ravel()),
    )


def _events(
    backtests: Backtests, name: str, event: str, horizon: int
) -> Iterator[tuple[Floats, Floats, NDArray[np.bool_]]]:
    """For each price: what the model said, what the baseline said, and whether it happened, ``[window]``."""
    levels, at = backtests["close"].levels, horizon - 1
    low, high = (backtests["close"].quantiles[BASELINE][:, at, levels.index(level)] for level in (0.1, 0.9))
    sigma = (high - low) / (2 * normal_scores((0.9,))[0])
    for side, target in ((1, "high"), (-1, "low")):
        backtest = backtests[target if event == "touch" else "close"]
        probability = probability_above if side > 0 else probability_below
        outcomes = backtest.targets[:, at]
        for distance in DISTANCES:
            price = side * distance * sigma
            said, reference = (
                probability(backtest.quantiles[model][:, at], levels, price).value for model in (name, BASELINE)
            )
            yield said, reference, outcomes >= price if side > 0 else outcomes <= price


def _score_risks(backtests: Backtests, name: str) -> Iterator[AtRisk]:
    """Losses of a holder beyond the value at risk, at origins whose outcomes do not overlap."""
    backtest = backtests["close"]
    for horizon in (1, HORIZONS[-1]):
        returns, quantiles = backtest.targets[::horizon, horizon - 1], backtest.quantiles[name][::horizon, horizon - 1]
        for level in RISK_LEVELS:
            if len(returns) * level < MIN_EXPECTED:
                continue
            exceeded = returns < quantiles[:, backtest.levels.index(level)]
            found = backtest_value_at_risk(exceeded, level)
            yield AtRisk(
                level=1 - level,
                horizon=horizon,
                outcomes=len(returns),
                share=float(exceeded.mean()),
                kupiec_p=found.coverage.p,
                independence_p=found.independence.p,
                christoffersen_p=found.joint.p,
            )


def _score_paths(backtests: Backtests, name: str, seed: int) -> EnergyScore | None:
    """Energy score of each UTC day's path of closes, from the newest ranks that were known before its fold."""
    close = backtests["close"]
    grid = grid_rows(close.opens)
    outcomes = np.stack([backtests[target].targets for target in TARGETS], axis=1)
    low, high = (close.quantiles[BASELINE][:, :, close.levels.index(level)] for level in (0.1, 0.9))
    scales = np.maximum(high - low, np.finfo(np.float32).tiny)
    scores: dict[str, list[Floats]] = {name: [], BASELINE: []}
    for fold in np.unique(close.folds):
        scored = (close.folds == fold) & (close.opens == close.opens.astype("datetime64[D]"))
        first = close.opens[close.folds == fold][0]
        known = np.flatnonzero(grid & (close.opens <= first - np.timedelta64(outcomes.shape[2], "h")))[-PATHS:]
        if len(known) < MIN_SCENARIOS or not scored.any():
            continue
        ranks = scenario_ranks(outcomes[known], scales[known], seed)
        for model, found in scores.items():
            quantiles = np.stack([backtests[target].quantiles[model][scored] for target in TARGETS], axis=1)
            found.append(energy_score(close.targets[scored], scenarios(quantiles, close.levels, ranks)[:, :, 0]))
    if not scores[name]:
        return None
    own, reference = (float(np.concatenate(scores[model]).mean()) for model in (name, BASELINE))
    paths = sum(map(len, scores[name]))
    return EnergyScore(outcomes=paths, own=own, baseline=reference, skill=float(skill(own, reference)))
