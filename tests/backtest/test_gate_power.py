"""How often the gate errs, on 100 simulated markets: skill is let through, its absence is not.

A market is a log random walk whose volatility wanders, calms down within days and follows the hour of the day, as
real pairs' does; a forecast is a width times the normal distribution's quantiles. 8 folds of 336 hours.
"""

from functools import cache

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from make_us_rich.backtest.comparison import compare_forecasts, mean_crps
from make_us_rich.backtest.gate import GateInput, GateParameters, apply_gate
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS

TRIALS = 100
HOURS = (1, 2, 4, 8, 12, 16, 20, 24)
"""Horizons that stand for all 24; it takes a third of the time."""
FOLDS = np.repeat(np.arange(8), 336)
BEFORE = 500
ROWS = BEFORE + len(FOLDS) + HORIZON


Market = dict[str, np.ndarray]
"""Outcomes, the width that was right (known to nobody), the baseline's, and one that never changes."""


def simulate(seed: int) -> Market:
    generator = np.random.default_rng(seed)
    slow, fast = (wander(generator, ROWS, decay, spread) for decay, spread in ((0.995, 0.35), (0.93, 0.25)))
    sigma = 0.005 * np.exp(slow + fast + 0.2 * np.sin(2 * np.pi * np.arange(ROWS) / 24))
    returns = sigma * generator.standard_t(5, ROWS) * np.sqrt(3 / 5)
    origins, root = np.arange(BEFORE, BEFORE + len(FOLDS)), np.sqrt(HOURS)
    ewma = np.sqrt(lfilter([0.03], [1, -0.97], returns**2))
    return {
        "targets": np.stack([ahead(returns, origins, hour) for hour in HOURS], axis=1),
        "right": np.sqrt(np.stack([ahead(sigma**2, origins, hour) for hour in HOURS], axis=1)),
        "baseline": ewma[origins][:, None] * root,
        "static": np.tile(returns.std() * root, (len(origins), 1)),
    }


def wander(generator: np.random.Generator, rows: int, decay: float, spread: float) -> np.ndarray:
    """An autoregression of the given standard deviation."""
    shocks = generator.normal(size=rows + 1_000) * spread * np.sqrt(1 - decay**2)
    return lfilter([1], [1, -decay], shocks)[-rows:]


def ahead(values: np.ndarray, origins: np.ndarray, hours: int) -> np.ndarray:
    """Sum over the next hours."""
    sums = np.concatenate([[0], np.cumsum(values)])
    return sums[origins + 1 + hours] - sums[origins + 1]


def disturbed(widths: np.ndarray, seed: int) -> np.ndarray:
    """Widths disturbed by features that mean nothing: a lasting and an hourly part."""
    generator, rows = np.random.default_rng([seed, 1]), len(widths)
    return widths * np.exp(wander(generator, rows, 0.99, 0.1) + generator.normal(0, 0.1, rows))[:, None]


def skilled(market: Market, seed: int, part: int) -> np.ndarray:
    """Most of the way from the baseline's widths to the right ones, with errors of its own.

    Tuned to what a regression of log volatility shows on BTC in 2024-25: 2.8 % of the CRPS gone, t about 3.5.
    """
    errors = wander(np.random.default_rng([seed, part]), len(FOLDS), 0.95, 0.1)
    return market["baseline"] ** 0.4 * market["right"] ** 0.6 * np.exp(errors)[:, None]


@cache
def trial(seed: int) -> dict[str, np.ndarray]:
    """Losses on one market. From shuffled targets a fit learns widths that never change."""
    market = simulate(seed)
    widths = {
        "baseline": market["baseline"],
        "noise": disturbed(market["baseline"], seed),
        "shuffled targets": market["static"],
        "skill": skilled(market, seed, part=2),
        "as skilled": skilled(market, seed, part=3),
    }
    normal = stats.norm.ppf(QUANTILE_LEVELS)
    return {
        name: mean_crps(market["targets"], each[:, :, None] * normal, QUANTILE_LEVELS) for name, each in widths.items()
    }


def count_published(challenger: str, baseline: str = "baseline", tried: int = 1) -> int:
    losses = ((trial(seed)[challenger], trial(seed)[baseline]) for seed in range(TRIALS))
    given = (GateInput(*each, None, FOLDS, 0.9, n_comparisons=tried) for each in losses)
    return sum(apply_gate(each, GateParameters()).publish for each in given)


@pytest.mark.parametrize("challenger", ["noise", "shuffled targets"])
def test_a_model_that_knows_nothing_is_refused_in_at_least_95_of_100_trials(challenger: str) -> None:
    assert count_published(challenger) <= 5


def test_a_model_with_the_skill_of_a_volatility_regression_is_accepted_in_at_least_90_of_100_trials() -> None:
    comparisons = [compare_forecasts(trial(seed)["skill"], trial(seed)["baseline"], FOLDS) for seed in range(TRIALS)]

    # The simulated skill is as small as the real one.
    assert 0.02 < np.mean([each.skill for each in comparisons]) < 0.03
    assert 3 < np.median([each.test.t for each in comparisons]) < 4
    assert count_published("skill") >= 90


def test_between_equally_good_models_the_gate_is_as_strict_as_it_says() -> None:
    """5 % by chance, 9 of 100 at two standard errors; a lower loss alone would let half of them through."""
    lower = sum(trial(seed)["skill"].mean() < trial(seed)["as skilled"].mean() for seed in range(TRIALS))

    assert count_published("skill", "as skilled") <= 9
    assert 35 <= lower <= 65
    # Ten tried: 0.5 % each by chance, 2 of 100 at two standard errors.
    assert count_published("skill", "as skilled", tried=10) <= 2
