import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.backtest.backtest import Backtest, Backtests
from make_us_rich.backtest.comparison import diebold_mariano, mean_crps
from make_us_rich.backtest.score_table import ALL, ANY, score_backtest, volatility_terciles
from make_us_rich.backtest.scores import crps, directional_accuracy, skill
from make_us_rich.domain.forecast import LEVELS, QUANTILE_LEVELS
from markets import with_model

FOLDS = (36, 30)
HORIZON = 4
RANGE_SCORES = ("crps", "below", "above")


@pytest.fixture(scope="module")
def backtests(backtest_of: Any) -> Backtests:
    return backtest_of("har", "lstm", folds=FOLDS, horizon=HORIZON)


@pytest.fixture(scope="module")
def backtest(backtests: Backtests) -> Backtest:
    """Of the closes."""
    return backtests["close"]


@pytest.fixture(scope="module")
def table(backtests: Backtests) -> pd.DataFrame:
    return score_backtest(backtests)


def row_of(table: pd.DataFrame, architecture: str, horizon: int, fold: int = ALL, volatility: str = ANY) -> Any:
    wanted = {"architecture": architecture, "horizon": horizon, "fold": fold, "volatility": volatility}
    return table.loc[(table[list(wanted)] == pd.Series(wanted)).all(axis=1)].squeeze()


def naive_scores(backtest: Backtest, name: str, at: int) -> dict[str, float]:
    """What a target is scored by at one horizon, one window after the other, from the definitions."""
    sums = dict.fromkeys(("crps", "below", "above", "coverage_50", "coverage_80", "coverage_90"), 0.0)
    sums |= dict.fromkeys(("rmse", "mae", "mape", "mase", "directional_accuracy"), 0.0)
    for window in range(len(backtest)):
        quantiles = dict(zip(LEVELS, map(float, backtest.quantiles[name][window, at]), strict=True))
        target, close = float(backtest.targets[window, at]), float(backtest.closes[window])
        for level in QUANTILE_LEVELS:
            miss = target - quantiles[level]
            sums["crps"] += 2 * (level * miss if miss > 0 else (level - 1) * miss) / len(QUANTILE_LEVELS)
        sums["below"] += target < quantiles[0.025]
        sums["above"] += target > quantiles[0.975]
        for share, (low, high) in {50: (0.25, 0.75), 80: (0.1, 0.9), 90: (0.05, 0.95)}.items():
            sums[f"coverage_{share}"] += quantiles[low] <= target <= quantiles[high]
        price, point = close * np.exp(target), close * np.exp(quantiles[0.5])
        sums["rmse"] += (point - price) ** 2
        sums["mae"] += abs(point - price)
        sums["mape"] += abs(point - price) / price
        sums["mase"] += abs(point - price) / backtest.naive_errors[window]
        sums["directional_accuracy"] += 0.5 if quantiles[0.5] == 0 else (quantiles[0.5] > 0) == (target > 0)
    scores = {score: total / len(backtest) for score, total in sums.items()}
    return scores | {"rmse": scores["rmse"] ** 0.5}


def naive_row(backtests: Backtests, name: str, at: int) -> dict[str, float]:
    """Highs and lows are scored by less than closes."""
    scores = {target: naive_scores(backtest, name, at) for target, backtest in backtests.items()}
    ranges = {f"{target}_{score}": scores[target][score] for target in ("high", "low") for score in RANGE_SCORES}
    return scores["close"] | ranges


@pytest.mark.parametrize("name", ["har", "lstm", "baseline"])
@pytest.mark.parametrize(("fold", "volatility"), [(ALL, ANY), (2, ANY), (ALL, "low"), (ALL, "high")])
def test_every_score_of_every_scope_is_that_of_a_loop_over_its_windows(
    backtests: Backtests, table: pd.DataFrame, name: str, fold: int, volatility: str
) -> None:
    backtest = backtests["close"]
    low, high = (backtest.quantiles["baseline"][:, 0, LEVELS.index(level)] for level in (0.05, 0.95))
    ranks = np.argsort(np.argsort(high - low))
    thirds = {ANY: ranks >= 0, "low": ranks < 22, "high": ranks >= 44}
    chosen = thirds[volatility] & ((backtest.folds == fold) | (fold == ALL))
    part = {target: each.at(chosen) for target, each in backtests.items()}

    for horizon in (1, HORIZON):
        found = row_of(table, name, horizon, fold, volatility)
        own, reference = (naive_row(part, each, horizon - 1) for each in (name, "baseline"))
        expected = own | {f"baseline_{score}": value for score, value in reference.items()}
        for prefix in ("", "high_", "low_"):
            expected[f"{prefix}crps_skill"] = 1 - own[f"{prefix}crps"] / reference[f"{prefix}crps"]

        assert found["windows"] == np.count_nonzero(chosen)
        assert {score: found[score] for score in expected} == pytest.approx(expected, rel=1e-6)


def test_the_mean_of_the_horizons_is_a_row_of_its_own(table: pd.DataFrame) -> None:
    rows = [row_of(table, "har", horizon) for horizon in range(1, HORIZON + 1)]
    mean = row_of(table, "har", ALL)

    for score in ("crps", "rmse", "coverage_80", "baseline_mae", "above", "high_crps", "low_below"):
        assert mean[score] == pytest.approx(np.mean([row[score] for row in rows]))
    for prefix in ("", "high_", "low_"):
        # Of the means, and not the mean of the skills.
        skill = 1 - mean[f"{prefix}crps"] / mean[f"baseline_{prefix}crps"]
        assert mean[f"{prefix}crps_skill"] == pytest.approx(skill)
        assert (table.loc[table["architecture"] == "baseline", f"{prefix}crps_skill"] == 0).all()


def test_the_test_of_the_mean_is_the_gates_and_each_horizon_has_its_own_overlap(
    backtest: Backtest, table: pd.DataFrame
) -> None:
    at = [LEVELS.index(level) for level in QUANTILE_LEVELS]
    quantiles = [backtest.quantiles[name][:, :, at] for name in ("har", "baseline")]
    mean = diebold_mariano(*(mean_crps(backtest.targets, each, QUANTILE_LEVELS) for each in quantiles), HORIZON)
    third = diebold_mariano(*(crps(backtest.targets, each, QUANTILE_LEVELS)[:, 2] for each in quantiles), 3)

    assert tuple(row_of(table, "har", ALL)[["dm_t", "dm_p"]]) == pytest.approx((mean.t, mean.p))
    assert row_of(table, "har", 3)["dm_t"] == pytest.approx(third.t)


def test_only_all_windows_are_tested_and_only_where_there_are_enough(table: pd.DataFrame, backtest_of: Any) -> None:
    whole = (table["fold"] == ALL) & (table["volatility"] == ANY)
    short = score_backtest(backtest_of("har", folds=(3,), horizon=HORIZON))

    assert table.loc[whole, ["dm_t", "dm_p"]].notna().all(axis=None)
    assert table.loc[~whole, ["dm_t", "dm_p"]].isna().all(axis=None)
    assert np.isfinite(row_of(short, "har", 2)["dm_t"])
    assert np.isnan(row_of(short, "har", HORIZON)["dm_t"])


def test_terciles_depend_on_nothing_that_came_true(backtest: Backtest) -> None:
    other = replace(backtest, targets=-5 * backtest.targets)

    np.testing.assert_array_equal(volatility_terciles(backtest), volatility_terciles(other))


def test_a_fit_that_has_diverged_has_no_scores_and_takes_none_from_the_others(
    backtests: Backtests, table: pd.DataFrame
) -> None:
    broken = with_model(backtests, "har", lambda each: np.full_like(each.quantiles["har"], np.nan))

    found = score_backtest(broken)

    scores = ["crps", "rmse", "crps_skill", "high_crps_skill", "low_crps", "dm_t", "dm_p"]
    assert row_of(found, "har", 1)[scores].isna().all()
    others = [each[each["architecture"] != "har"].reset_index(drop=True) for each in (found, table)]
    pd.testing.assert_frame_equal(*others)


def test_skill_is_zero_for_the_baseline_and_one_for_perfection() -> None:
    assert skill([2.0, 0.0, 3.0], [2.0, 2.0, 2.0]).tolist() == [0.0, 1.0, -0.5]
    assert np.isnan(skill(1.0, 0.0))


@pytest.mark.parametrize(
    ("moves", "forecast", "expected"),
    [
        ([0.01, -0.02, 0.0, 0.03], [0.5] * 4, 2 / 3),
        ([0.01, -0.02, 0.0], [0.0] * 3, 0.5),
        ([0.0, 0.0], [0.1, 0.1], math.nan),
    ],
)
def test_directional_accuracy_counts_moves_and_half_of_forecasts_without_a_direction(
    moves: list[float], forecast: list[float], expected: float
) -> None:
    assert float(directional_accuracy(moves, forecast)) == pytest.approx(expected, nan_ok=True)
