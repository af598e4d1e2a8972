"""The closed forms: HAR, and the baseline."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from make_us_rich.domain.forecast import HORIZON, LEVELS, QUANTILE_LEVELS, TARGETS
from make_us_rich.features.windows import Windows
from make_us_rich.models.closed_form import row_quantiles
from make_us_rich.models.har import Har
from make_us_rich.models.registry import TrainingParameters
from synthetic import CONFIGURED, SETTINGS, simulated_klines

RECIPE = Har(lookback=1, symmetric_from=12, symmetry=0.5)
PRICES = ["open", "high", "low", "close"]


@pytest.fixture(scope="module")
def case(case_of: Any) -> Any:
    return case_of("har")


def naive_variance(windows: Windows, origin: int, horizon: int) -> float:
    """The squared ranges of the hours after an origin, and from 6 hours on half of them replaced by squared returns."""
    share = 0.5 * min((horizon - 1) / 5, 1)
    column, variance = windows.columns.index("log_range_1h"), 0.0
    for row in range(origin + 1, origin + horizon + 1):
        squared_return = math.log(windows.closes[row] / windows.closes[row - 1]) ** 2
        squared_range = math.exp(float(windows.features[row, column])) ** 2
        variance += (1 - share) * squared_range + share * (squared_return + 1e-8)
    return variance


def naive_profile(windows: Windows) -> np.ndarray:
    """Ridge on one-hot columns of hour and day, then the shrunk class means of its residuals."""
    newest = pd.DataFrame(windows.features[windows.origins], columns=list(windows.columns)).astype(float)
    values = newest["log_range_1h"] - newest["log_range_168h"]
    values -= values.mean()
    week = np.arange(168)
    one_hot = np.concatenate([np.eye(48)[week % 24 + 24 * (week >= 120)], np.eye(7)[week // 24]], axis=1)
    classes = newest["season_class_+0h"].astype(int)
    fitted = one_hot @ Ridge(alpha=5, fit_intercept=False).fit(one_hot[classes], values).coef_
    left = (values - fitted[classes]).groupby(classes).agg(["mean", "size"]).reindex(week, fill_value=0)
    profile: np.ndarray = fitted + left["mean"] * left["size"] / (left["size"] + 30)
    return np.asarray(profile)


def naive_inputs(windows: Windows, newest: np.ndarray, horizon: int) -> np.ndarray:
    """The features before the season, five means of the past season, and the season of the coming hours."""
    profile, frame = naive_profile(windows), pd.DataFrame(newest, columns=list(windows.columns)).astype(float)
    season = {step: profile[frame[f"season_class_{step:+d}h"].astype(int)] for step in range(-71, horizon + 1)}
    past = [np.mean([season[-ago] for ago in range(hours)], axis=0) for hours in (1, 4, 12, 24, 72)]
    coming = np.log(np.mean([np.exp(2 * season[step]) for step in range(1, horizon + 1)], axis=0)) / 2
    numbers = frame.loc[:, :"bend_1h_profile"].to_numpy()
    return np.column_stack([numbers, *past, coming])


def independent_log_sigma(windows: Windows, horizon: int, newest: np.ndarray) -> np.ndarray:
    """The recipe for one horizon as an augmented least-squares problem."""
    variances = [naive_variance(windows, int(origin), horizon) for origin in windows.origins]
    added = 0.02 * sum(variances) / len(variances)
    target = np.array([math.log(variance + added) / 2 for variance in variances])
    design = naive_inputs(windows, windows.inputs()[:, -1], horizon)
    center, spread = design.mean(axis=0), design.std(axis=0)
    spread[spread < 1e-6] = 1
    penalties = np.sqrt(len(windows) * np.array([0.002] * (design.shape[1] - 1) + [0.0002]))
    augmented = np.concatenate([(design - center) / spread, np.diag(penalties)])
    weights = np.linalg.lstsq(augmented, np.concatenate([target - target.mean(), 0 * penalties]), rcond=None)[0]
    log_sigma: np.ndarray = (naive_inputs(windows, newest, horizon) - center) / spread @ weights + target.mean()
    return log_sigma


@pytest.mark.parametrize("horizon", [1, 4, HORIZON])
def test_the_volatility_is_that_of_the_ridge_regression(case: Any, horizon: int) -> None:
    inputs = case.parts.test.inputs()[:, -1]

    found = case.fitted.volatility.log_sigma(inputs)[:, horizon - 1]

    expected = independent_log_sigma(case.parts.train_validation(), horizon, inputs)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_profile_is_fitted_on_the_training_windows_alone(case: Any) -> None:
    np.testing.assert_allclose(case.fitted.volatility.profile, naive_profile(case.parts.train_validation()), atol=1e-5)


def test_symmetry_changes_later_horizons_and_no_earlier_ones(case: Any) -> None:
    fits = [case.fit(symmetry=symmetry).tables for symmetry in (0, 0.5, 1)]

    for target, opposite in (("close", "close"), ("high", "low"), ("low", "high")):
        found, half, full = (fit[target].astype(np.float64) for fit in fits)
        np.testing.assert_array_equal(half[:11], found[:11])
        np.testing.assert_allclose(half[11:], (found[11:] + full[11:]) / 2, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(full[11:], -fits[2][opposite][11:, ::-1], rtol=1e-6)
        assert not np.allclose(found[11:], -fits[0][opposite][11:, ::-1], rtol=1e-2)


def test_a_forecast_is_at_most_twice_the_highest_fitted_volatility(case: Any) -> None:
    windows = case.parts.train_validation()
    wild = windows.inputs()[:1].copy()
    state = len(case.fitted.volatility.weights) - 5
    wild[0, 0, :state] = 1e6 * np.sign(case.fitted.volatility.weights[:state, 0])
    fitted = independent_log_sigma(windows, 1, windows.inputs()[:, -1])

    for target, quantiles in case.fitted.quantiles(wild).items():
        expected = 2 * math.exp(fitted.max()) * case.fitted.tables[target][0]
        np.testing.assert_allclose(quantiles[0, 0], expected, rtol=2e-3)


@pytest.mark.parametrize(("tick", "still"), [(200, 0.25), (600, 0.6)])
def test_coarse_ticks_keep_the_volatility_near_the_past(cut: Any, tick: float, still: float) -> None:
    """The log variance of an hour without a move is finite, so that least squares does not forecast such hours."""
    klines = simulated_klines(rows=3_000).copy()
    klines[PRICES] = (klines[PRICES] / tick).round() * tick
    coarse = cut(RECIPE, klines)
    assert (coarse.train.targets()[:, 0] == 0).mean() > still

    fitted: Any = RECIPE.fit(coarse, None, SETTINGS)  # type: ignore[arg-type]

    assert np.ptp(fitted.volatility.log_sigma(coarse.test.inputs()[:, -1]), axis=0).max() < np.log(100)
    for quantiles in fitted.quantiles(coarse.test.inputs()).values():
        assert (np.diff(quantiles, axis=-1) >= 0).all()


def test_the_configured_recipe_is_the_one_tested_here() -> None:
    assert TrainingParameters.model_validate(CONFIGURED).har == RECIPE


SCORED = [LEVELS.index(level) for level in QUANTILE_LEVELS]


@pytest.fixture(scope="module")
def baseline_case(case_of: Any) -> Any:
    return case_of("baseline")


def naive_volatility(returns: list[float], decay: float) -> float:
    """RiskMetrics' definition, newest return first."""
    pairs = [(decay**age, value) for age, value in enumerate(reversed(returns))]
    return math.sqrt(sum(weight * value**2 for weight, value in pairs) / sum(weight for weight, _ in pairs))


def naive_volatilities(windows: Any) -> list[float]:
    column = windows.columns.index("log_return")
    return [naive_volatility(window[:, column].astype(float).tolist(), 0.94) for window in windows.inputs()]


def test_the_table_holds_the_quantiles_of_the_standardised_returns(baseline_case: Any) -> None:
    windows = baseline_case.parts.train_validation()
    sigmas = naive_volatilities(windows)

    tables = baseline_case.fit(decays=(0.94,)).tables

    assert [table.shape for table in tables.values()] == [(HORIZON, len(LEVELS))] * 3
    for horizon in (1, 4, HORIZON):
        ratios = {name: pd.Series(windows.targets(name)[:, horizon - 1] / sigmas) for name in TARGETS}
        for level in (LEVELS[0], 0.05, 0.95, LEVELS[-1]):
            close, high, low = (tables[name][horizon - 1, LEVELS.index(level)] for name in TARGETS)
            side = min if level < 0.5 else max
            assert close == pytest.approx(side(ratios["close"].quantile(level), 0), rel=1e-5)
            assert high == pytest.approx(max(ratios["high"].quantile(level), close, 0), rel=1e-5)
            assert low == pytest.approx(min(ratios["low"].quantile(level), close, 0), rel=1e-5)


def test_each_horizon_has_the_decay_with_the_lowest_pinball_loss(baseline_case: Any) -> None:
    decays, windows, levels = (
        (0.2, 0.3, 0.5, 0.8, 0.9, 0.97, 0.999),
        baseline_case.parts.train_validation(),
        np.array(QUANTILE_LEVELS),
    )
    fits = [baseline_case.fit(decays=(decay,)) for decay in decays]
    errors = [windows.targets()[:, :, None] - fit.quantiles(windows.inputs())["close"][:, :, SCORED] for fit in fits]
    losses = [np.where(each > 0, levels * each, (levels - 1) * each).mean(axis=(0, 2)) for each in errors]
    best = np.argmin(losses, axis=0)

    chosen = baseline_case.fit(decays=decays)

    assert len(set(best)) > 1
    for ahead, index in enumerate(best):
        np.testing.assert_array_equal(chosen.weights[:, ahead], fits[index].weights[:, ahead])
        for target in TARGETS:
            np.testing.assert_array_equal(chosen.tables[target][ahead], fits[index].tables[target][ahead])


@pytest.mark.parametrize("size", [1, 2, 501])
def test_row_quantiles_are_those_of_numpy_to_the_last_digit(size: int) -> None:
    rows = np.random.default_rng(7).standard_t(3, (3, size))
    for levels in (LEVELS, (0.0, 1 / 3, 1.0)):
        np.testing.assert_array_equal(row_quantiles(rows, levels), np.quantile(rows, levels, axis=1).T)
