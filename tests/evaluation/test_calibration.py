import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from make_us_rich.domain.errors import DataError, ParameterError
from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.evaluation.calibration import (
    Calibration,
    PastForecasts,
    apply_widths,
    calibrate_forward,
    fit_widths,
    widths_at,
)

ALONE = Calibration(prior=0, narrowest=0.01, widest=100, least_windows=1)
HOUR = np.timedelta64(1, "h")


def normal_forecasts(windows: int, horizon: int, sigma: float = 1.0) -> np.ndarray:
    quantiles = sigma * stats.norm.ppf(QUANTILE_LEVELS)
    return np.broadcast_to(quantiles, (windows, horizon, len(QUANTILE_LEVELS)))


def past(targets: np.ndarray, quantiles: np.ndarray) -> PastForecasts:
    opens = np.datetime64("2025-01-01", "ms") + np.arange(len(targets)) * HOUR
    return PastForecasts(opens, targets, quantiles, QUANTILE_LEVELS)


def test_forecasts_half_as_wide_as_the_outcomes_are_doubled() -> None:
    targets = np.random.default_rng(0).normal(0, 2, (20_000, 3))

    factors = fit_widths(targets, normal_forecasts(20_000, 3), QUANTILE_LEVELS, ALONE)

    np.testing.assert_allclose(factors, 2, rtol=0.02)


def test_factor_is_the_stretch_at_the_conformal_rank() -> None:
    """Of nine outcomes 1 to 9 widths, the ceil(10 * 0.8) = 8th smallest."""
    end = stats.norm.ppf(0.9)
    targets = end * np.arange(1, 10)[:, None] * np.where(np.arange(9) % 2, 1, -1)[:, None]

    factors = fit_widths(targets, normal_forecasts(9, 1), QUANTILE_LEVELS, ALONE)

    assert factors == pytest.approx(8)


def test_each_side_is_measured_by_its_own_half() -> None:
    quantiles = np.tile([-5.0, -4.0, -2.0, 0.0, 0.5, 1.0, 2.0], (9, 1, 1))

    assert fit_widths(np.full((9, 1), -2.0), quantiles, QUANTILE_LEVELS, ALONE) == pytest.approx(0.5)
    assert fit_widths(np.full((9, 1), 2.0), quantiles, QUANTILE_LEVELS, ALONE) == pytest.approx(2.0)


@pytest.mark.parametrize(("windows", "probability"), [(9, 0.8), (10, 9 / 11), (49, 0.8)])
def test_coverage_on_exchangeable_data_is_the_conformal_rank_over_one_more(windows: int, probability: float) -> None:
    """ceil((n + 1) 0.8) / (n + 1) exactly, whatever the forecasts are worth; 20,000 trials, four standard errors."""
    generator = np.random.default_rng(windows)
    targets = generator.standard_t(3, (windows + 1, 20_000))
    quantiles = np.random.default_rng(1).gamma(2, size=20_000)[:, None] * stats.norm.ppf(QUANTILE_LEVELS)
    forecasts = np.broadcast_to(quantiles, (windows + 1, *quantiles.shape))
    rules = ALONE.model_copy(update={"narrowest": 1e-9, "widest": 1e9})

    factors = fit_widths(targets[:-1], forecasts[:-1], QUANTILE_LEVELS, rules)
    low, high = apply_widths(forecasts[-1:], factors, QUANTILE_LEVELS)[0, :, [1, 5]]

    covered = np.mean((low <= targets[-1]) & (targets[-1] <= high))
    assert covered == pytest.approx(probability, abs=4 * np.sqrt(0.16 / 20_000))


def test_belief_in_the_fit_takes_its_share_by_independent_windows() -> None:
    """400 windows at 4 hours are 100 independent ones: with a prior of 100 half of the logarithm is left."""
    targets = np.random.default_rng(2).normal(0, 1.5, (400, 4))
    forecasts = normal_forecasts(400, 4)

    alone = fit_widths(targets, forecasts, QUANTILE_LEVELS, ALONE)
    held = fit_widths(targets, forecasts, QUANTILE_LEVELS, ALONE.model_copy(update={"prior": 100}))

    assert held[3] == pytest.approx(alone[3] ** 0.5)
    assert held[0] == pytest.approx(alone[0] ** 0.8)


def test_factors_stay_within_their_bounds() -> None:
    targets = np.stack([np.full(50, 100.0), np.zeros(50)], axis=1)

    factors = fit_widths(targets, normal_forecasts(50, 2), QUANTILE_LEVELS, Calibration(prior=0))

    assert factors.tolist() == [2, 0.5]


def test_a_forecast_without_width_is_stretched_to_the_bound_unless_it_came_true() -> None:
    targets = np.stack([np.full(50, 0.1), np.zeros(50)], axis=1)

    factors = fit_widths(targets, np.zeros((50, 2, 7)), QUANTILE_LEVELS, Calibration(prior=0))

    assert factors.tolist() == [2, 0.5]


sorted_quantiles = arrays(np.float32, (4, 3, 7), elements=st.floats(-1, 1, width=32)).map(lambda q: np.sort(q, axis=-1))


@given(sorted_quantiles, arrays(np.float64, 3, elements=st.floats(0.01, 100)))
def test_rescaled_quantiles_never_cross_and_the_median_stays(quantiles: np.ndarray, factors: np.ndarray) -> None:
    rescaled = apply_widths(quantiles, factors, QUANTILE_LEVELS)

    assert rescaled.dtype == quantiles.dtype
    assert (np.diff(rescaled, axis=-1) >= 0).all()
    np.testing.assert_array_equal(rescaled[:, :, 3], quantiles[:, :, 3])


@given(sorted_quantiles, st.floats(0.1, 1), st.floats(1, 10))
def test_a_larger_factor_never_narrows(quantiles: np.ndarray, small: float, large: float) -> None:
    narrow, wide = (apply_widths(quantiles, np.full(3, factor), QUANTILE_LEVELS) for factor in (small, large))

    assert (wide[:, :, :3] <= narrow[:, :, :3]).all()
    assert (wide[:, :, 4:] >= narrow[:, :, 4:]).all()


def test_a_factor_of_one_changes_nothing() -> None:
    quantiles = normal_forecasts(5, 2)

    np.testing.assert_allclose(apply_widths(quantiles, np.ones(2), QUANTILE_LEVELS), quantiles, rtol=1e-15)


def test_only_the_last_ninety_days_whose_outcomes_have_come_count() -> None:
    """At hour 3000: origins from hour 840, 90 days before, to 2998, whose second target is candle 3000."""
    targets = np.ones((4_000, 2))
    targets[840:2_999] = 1.5 * stats.norm.ppf(0.9)
    forecasts = past(targets, normal_forecasts(4_000, 2))

    factors = widths_at(forecasts, forecasts.opens[3_000], ALONE)
    chosen = slice(840, 2_999)
    alone = fit_widths(targets[chosen], forecasts.quantiles[chosen], QUANTILE_LEVELS, ALONE)

    np.testing.assert_array_equal(factors, alone)
    np.testing.assert_allclose(factors, 1.5)


def test_what_comes_true_later_changes_no_factor() -> None:
    generator = np.random.default_rng(3)
    targets = generator.normal(size=(1_000, 2))
    changed = targets.copy()
    changed[500 - 1 :] = 99
    quantiles = normal_forecasts(1_000, 2)
    moment = past(targets, quantiles).opens[500]

    before, after = (widths_at(past(outcomes, quantiles), moment, ALONE) for outcomes in (targets, changed))

    np.testing.assert_array_equal(before, after)


def test_before_enough_has_come_true_widths_stay() -> None:
    forecasts = past(np.full((1_000, 24), 9.0), normal_forecasts(1_000, 24))

    assert (widths_at(forecasts, forecasts.opens[720 + 22]) == 1).all()
    assert (widths_at(forecasts, forecasts.opens[720 + 23]) > 1).all()


def test_every_day_is_calibrated_on_what_was_known_at_its_start() -> None:
    targets = np.random.default_rng(4).normal(0, 1.5, (1_200, 24))
    forecasts = past(targets, normal_forecasts(1_200, 24))

    calibrated = calibrate_forward(forecasts)

    for day in (0, 20, 35, 49):
        hours = slice(24 * day, 24 * day + 24)
        factors = widths_at(forecasts, forecasts.opens[24 * day])
        expected = apply_widths(forecasts.quantiles[hours], factors, QUANTILE_LEVELS)
        np.testing.assert_array_equal(calibrated[hours], expected)
    assert calibrated.shape == forecasts.quantiles.shape


def test_calibrated_forward_a_wrong_scale_is_found_again() -> None:
    targets = np.random.default_rng(5).normal(0, 1.5, (4_000, 1))

    calibrated = calibrate_forward(past(targets, normal_forecasts(4_000, 1)), Calibration(prior=0))[1_000:]

    within = (calibrated[:, :, 1] <= targets[1_000:]) & (targets[1_000:] <= calibrated[:, :, 5])
    assert within.mean() == pytest.approx(0.8, abs=0.03)


def test_too_few_windows_are_refused() -> None:
    with pytest.raises(DataError, match="3 past forecasts do not calibrate an interval of 80%; wait for more outcomes"):
        fit_widths(np.ones((3, 1)), normal_forecasts(3, 1), QUANTILE_LEVELS)


def test_an_interval_that_is_not_forecast_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"quantile 0\.15 is needed to calibrate"):
        fit_widths(np.ones((99, 1)), normal_forecasts(99, 1), QUANTILE_LEVELS, Calibration(nominal=0.7))
