from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.evaluation.contest import joint_loss
from make_us_rich.evaluation.scores import crps
from make_us_rich.evaluation.significance import diebold_mariano
from make_us_rich.evaluation.table import ALL, ANY, INTERVALS, TERCILES, score_walk, terciles
from make_us_rich.evaluation.walk import Walk, no_walk
from re_lived import walk_of

FOLDS = (36, 30)
HORIZON = 4


@pytest.fixture(scope="module")
def walk() -> Walk:
    return walk_of("har", "lstm", folds=FOLDS, horizon=HORIZON)


@pytest.fixture(scope="module")
def table(walk: Walk) -> pd.DataFrame:
    return score_walk(walk)


def row_of(table: pd.DataFrame, architecture: str, horizon: int, fold: int = ALL, volatility: str = ANY) -> Any:
    """The one row."""
    wanted = {"architecture": architecture, "horizon": horizon, "fold": fold, "volatility": volatility}
    return table.loc[(table[list(wanted)] == pd.Series(wanted)).all(axis=1)].squeeze()


def naive_scores(walk: Walk, name: str, at: int) -> dict[str, float]:
    """Every score at one horizon, one window after the other, from the definitions."""
    loss, within, errors, shares, scaled, directions = 0.0, {50: 0, 80: 0, 90: 0}, [], [], [], []
    for window in range(len(walk)):
        quantiles = [float(value) for value in walk.quantiles[name][window, at]]
        target, close = float(walk.targets[window, at]), float(walk.closes[window])
        for level, quantile in zip(QUANTILE_LEVELS, quantiles, strict=True):
            miss = target - quantile
            loss += 2 * (level * miss if miss > 0 else (level - 1) * miss) / len(QUANTILE_LEVELS)
        for nominal, (low, high) in {50: (2, 4), 80: (1, 5), 90: (0, 6)}.items():
            within[nominal] += quantiles[low] <= target <= quantiles[high]
        price, point = close * np.exp(target), close * np.exp(quantiles[3])
        errors.append(point - price)
        shares.append(abs(point - price) / price)
        scaled.append(abs(point - price) / walk.naive_errors[window])
        directions.append(0.5 if quantiles[3] == 0 else (quantiles[3] > 0) == (target > 0))
    count = len(walk)
    return {
        "crps": loss / count,
        **{f"coverage_{nominal}": hits / count for nominal, hits in within.items()},
        "rmse": sum(error**2 for error in errors) ** 0.5 / count**0.5,
        "mae": sum(map(abs, errors)) / count,
        "mape": sum(shares) / count,
        "mase": sum(scaled) / count,
        "directional_accuracy": sum(directions) / count,
    }


@pytest.mark.parametrize("name", ["har", "lstm", "baseline"])
@pytest.mark.parametrize(("fold", "volatility"), [(ALL, ANY), (2, ANY), (ALL, "low"), (ALL, "high")])
def test_every_score_of_every_scope_is_that_of_a_loop_over_its_windows(
    walk: Walk, table: pd.DataFrame, name: str, fold: int, volatility: str
) -> None:
    low, high = walk.quantiles["baseline"][:, 0, 0], walk.quantiles["baseline"][:, 0, -1]
    ranks = np.argsort(np.argsort(high - low))
    thirds = {ANY: ranks >= 0, "low": ranks < 22, "high": ranks >= 44}
    part = walk.at(thirds[volatility] & ((walk.folds == fold) | (fold == ALL)))

    for horizon in (1, HORIZON):
        found = row_of(table, name, horizon, fold, volatility)
        own, reference = (naive_scores(part, each, horizon - 1) for each in (name, "baseline"))
        expected = own | {f"baseline_{score}": value for score, value in reference.items()}

        assert found["windows"] == len(part)
        assert {score: found[score] for score in expected} == pytest.approx(expected, rel=1e-6)


def test_there_is_a_row_for_every_architecture_scope_and_horizon(table: pd.DataFrame) -> None:
    scopes = [(ALL, ANY), (1, ANY), (2, ANY), *((ALL, tercile) for tercile in TERCILES)]
    expected = {
        (name, fold, volatility, horizon)
        for name in ("baseline", "har", "lstm")
        for fold, volatility in scopes
        for horizon in range(HORIZON + 1)
    }

    found = table[["architecture", "fold", "volatility", "horizon"]].itertuples(index=False, name=None)

    assert sorted(found) == sorted(expected)


def test_the_baselines_price_errors_are_those_of_the_price_changes_in_quote_currency(
    walk: Walk, table: pd.DataFrame
) -> None:
    changes = walk.closes * (np.exp(walk.targets[:, 1]) - 1)

    found = row_of(table, "har", 2)

    assert found["baseline_rmse"] == pytest.approx(np.sqrt(np.mean(changes**2)))
    assert found["baseline_mae"] == pytest.approx(np.mean(np.abs(changes)))


def test_each_window_is_scaled_by_the_naive_error_of_its_own_fold(walk: Walk, table: pd.DataFrame) -> None:
    # The naive errors of the folds are 1 and 2.
    first, second = (row_of(table, "har", 1, fold) for fold in (1, 2))

    assert first["mase"] == pytest.approx(first["mae"])
    assert second["mase"] == pytest.approx(second["mae"] / 2)
    assert row_of(table, "har", 1)["mase"] == pytest.approx(np.average([first["mase"], second["mase"]], weights=FOLDS))


def test_the_mean_of_the_horizons_is_a_row_of_its_own(table: pd.DataFrame) -> None:
    rows = [row_of(table, "har", horizon) for horizon in range(1, HORIZON + 1)]
    mean = row_of(table, "har", ALL)

    for score in ("crps", "rmse", "coverage_80", "baseline_mae"):
        assert mean[score] == pytest.approx(np.mean([row[score] for row in rows]))
    # Of the means, and not the mean of the skills.
    assert mean["crps_skill"] == pytest.approx(1 - mean["crps"] / mean["baseline_crps"])


def test_the_skill_is_the_share_of_the_baselines_crps_that_is_gone(table: pd.DataFrame) -> None:
    np.testing.assert_allclose(table["crps_skill"], 1 - table["crps"] / table["baseline_crps"], atol=1e-12)


def test_the_baseline_has_no_skill_and_is_the_same_beside_every_architecture(table: pd.DataFrame) -> None:
    keys = ["fold", "volatility", "horizon"]
    beside = table.pivot_table(index=keys, columns="architecture", values="baseline_crps")

    assert (table.loc[table["architecture"] == "baseline", "crps_skill"] == 0).all()
    assert (beside["baseline"] == beside["har"]).all()


def test_the_test_of_the_mean_is_that_of_the_loss_that_the_gate_judges(walk: Walk, table: pd.DataFrame) -> None:
    own, reference = (joint_loss(walk.targets, walk.quantiles[name], walk.levels) for name in ("har", "baseline"))
    expected = diebold_mariano(own, reference, HORIZON)

    found = row_of(table, "har", ALL)

    assert (found["dm_t"], found["dm_p"]) == pytest.approx((expected.t, expected.p))


def test_each_horizon_is_tested_with_its_own_overlap(walk: Walk, table: pd.DataFrame) -> None:
    own, reference = (crps(walk.targets, walk.quantiles[name], walk.levels)[:, 2] for name in ("har", "baseline"))

    assert row_of(table, "har", 3)["dm_t"] == pytest.approx(diebold_mariano(own, reference, 3).t)


def test_only_the_whole_is_tested(table: pd.DataFrame) -> None:
    whole = (table["fold"] == ALL) & (table["volatility"] == ANY)

    assert table.loc[whole, ["dm_t", "dm_p"]].notna().all(axis=None)
    assert table.loc[~whole, ["dm_t", "dm_p"]].isna().all(axis=None)


def test_too_few_windows_for_a_horizon_are_not_tested() -> None:
    table = score_walk(walk_of("har", folds=(3,), horizon=HORIZON))

    assert np.isfinite(row_of(table, "har", 2)["dm_t"])
    assert np.isnan(row_of(table, "har", HORIZON)["dm_t"])


def test_terciles_depend_on_nothing_that_came_true(walk: Walk) -> None:
    np.testing.assert_array_equal(terciles(walk), terciles(replace(walk, targets=-5 * walk.targets)))


def test_windows_of_the_same_width_share_a_tercile_the_lower_one(walk: Walk) -> None:
    flat = np.ones_like(walk.quantiles["baseline"]) * np.arange(7)
    wide = np.where(np.arange(len(walk)) < 6, 2, 1)[:, None, None] * flat

    table = score_walk(replace(walk, quantiles={"baseline": wide}))

    sizes = {name: row_of(table, "baseline", 1, volatility=name) for name in ("low", "high")}
    assert {name: row["windows"] for name, row in sizes.items()} == {"low": 60, "high": 6}
    assert "middle" not in set(table["volatility"])


def test_a_fit_that_has_diverged_has_no_scores_and_takes_none_from_the_others(walk: Walk, table: pd.DataFrame) -> None:
    broken = np.full_like(walk.quantiles["har"], np.nan)

    found = score_walk(replace(walk, quantiles={**walk.quantiles, "har": broken}))

    assert row_of(found, "har", 1)[["crps", "rmse", "crps_skill", "dm_t", "dm_p"]].isna().all()
    others = [each[each["architecture"] != "har"].reset_index(drop=True) for each in (found, table)]
    pd.testing.assert_frame_equal(*others)


def test_a_walk_without_windows_has_no_scores() -> None:
    assert score_walk(no_walk(QUANTILE_LEVELS, {"har": "too young"})).empty


def test_each_interval_spans_its_nominal_coverage() -> None:
    for nominal, (low, high) in INTERVALS.items():
        assert high - low == pytest.approx(nominal / 100)
