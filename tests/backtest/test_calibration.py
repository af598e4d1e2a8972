from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from make_us_rich.backtest.calibration import (
    CalibrationParameters,
    PastForecasts,
    Scales,
    apply_scales,
    calibrate_forward,
    conformity_scores,
    fit_scales,
    nest,
    scales_at,
    settle,
    tail_scores,
    track_tails,
)
from make_us_rich.domain.errors import DataError, ParameterError
from make_us_rich.domain.forecast import LEVELS, QUANTILE_LEVELS, TARGETS

ALONE = CalibrationParameters(shrinkage=0, min_scale=0.01, max_scale=100, min_forecasts=1)
BOUNDED = CalibrationParameters(shrinkage=0)
DEFAULT = CalibrationParameters()
END = stats.norm.ppf(0.9)
HOUR = np.timedelta64(1, "h")


def normal_forecasts(windows: int, horizon: int) -> np.ndarray:
    return np.broadcast_to(stats.norm.ppf(QUANTILE_LEVELS), (windows, horizon, len(QUANTILE_LEVELS)))


def past(targets: np.ndarray, quantiles: np.ndarray | None = None) -> PastForecasts:
    """Forecasts of consecutive hours, by default of the standard normal distribution."""
    opens = np.datetime64("2025-01-01", "ms") + np.arange(len(targets)) * HOUR
    return PastForecasts(
        opens, targets, normal_forecasts(*targets.shape) if quantiles is None else quantiles, QUANTILE_LEVELS
    )


def past_ranges(targets: np.ndarray, target: str) -> PastForecasts:
    """Forecasts of highs, or of lows, as a half-normal distribution, at all levels."""
    levels = np.array(LEVELS)
    fan = stats.halfnorm.ppf(levels) if target == "high" else -stats.halfnorm.ppf(1 - levels)
    quantiles = np.broadcast_to(fan, (*targets.shape, len(LEVELS)))
    return replace(past(targets, quantiles), levels=LEVELS, target=target)


def fit(forecasts: PastForecasts, parameters: CalibrationParameters = ALONE) -> Scales:
    return fit_scales(conformity_scores(forecasts, parameters), parameters)


def known_scales(forecasts: PastForecasts, at: int, parameters: CalibrationParameters) -> Scales:
    """At the moment of one of the forecasts."""
    return scales_at(forecasts.opens, conformity_scores(forecasts, parameters), forecasts.opens[at], parameters)


def test_the_scale_is_the_conformity_score_at_the_conformal_rank() -> None:
    """Of nine outcomes at 1 to 9 widths, the ceil(10 * 0.8) = 8th smallest."""
    targets = END * np.arange(1, 10)[:, None] * np.where(np.arange(9) % 2, 1, -1)[:, None]

    assert fit(past(targets)) == pytest.approx(8)


def test_each_side_is_measured_by_its_own_half() -> None:
    quantiles = np.tile([-5.0, -4.0, -2.0, 0.0, 0.5, 1.0, 2.0], (9, 1, 1))

    assert fit(past(np.full((9, 1), -2.0), quantiles)) == pytest.approx(0.5)
    assert fit(past(np.full((9, 1), 2.0), quantiles)) == pytest.approx(2.0)


@pytest.mark.parametrize(("windows", "probability"), [(9, 0.8), (10, 9 / 11), (49, 0.8)])
def test_coverage_on_exchangeable_data_is_the_conformal_rank_over_one_more(windows: int, probability: float) -> None:
    """ceil((n + 1) 0.8) / (n + 1) exactly, whatever the forecasts are worth; 20,000 trials, four standard errors."""
    targets = np.random.default_rng(windows).standard_t(3, (windows + 1, 20_000))
    quantiles = np.random.default_rng(1).gamma(2, size=20_000)[:, None] * stats.norm.ppf(QUANTILE_LEVELS)
    forecasts = np.broadcast_to(quantiles, (windows + 1, *quantiles.shape))
    rules = ALONE.model_copy(update={"min_scale": 1e-9, "max_scale": 1e9})

    scales = fit(past(targets[:-1], forecasts[:-1]), rules)
    low, high = apply_scales(forecasts[-1:], scales, QUANTILE_LEVELS)[0, :, [1, 5]]

    covered = np.mean((low <= targets[-1]) & (targets[-1] <= high))
    assert covered == pytest.approx(probability, abs=4 * np.sqrt(0.16 / 20_000))


def test_shrinkage_counts_independent_windows() -> None:
    """400 windows at 4 hours are 100 independent ones: with a shrinkage of 100 half of the logarithm is left."""
    forecasts = past(np.random.default_rng(2).normal(0, 1.5, (400, 4)))

    alone, shrunk = fit(forecasts), fit(forecasts, ALONE.model_copy(update={"shrinkage": 100}))

    assert shrunk[3] == pytest.approx(alone[3] ** 0.5)
    assert shrunk[0] == pytest.approx(alone[0] ** 0.8)


def test_scales_stay_within_their_bounds_also_without_width() -> None:
    wide = past(np.stack([np.full(50, 100.0), np.zeros(50)], axis=1))
    without_width = past(np.stack([np.full(50, 0.1), np.zeros(50)], axis=1), np.zeros((50, 2, 7)))

    assert fit(wide, BOUNDED).tolist() == fit(without_width, BOUNDED).tolist() == [2, 0.5]


def test_only_the_last_ninety_days_whose_outcomes_have_come_count() -> None:
    """At hour 3000: origins from hour 840, 90 days before, to 2998, whose second target is candle 3000."""
    targets = np.ones((4_000, 2))
    targets[840:2_999] = 1.5 * END
    forecasts = past(targets)

    scales = known_scales(forecasts, 3_000, ALONE)

    np.testing.assert_allclose(scales, 1.5)
    np.testing.assert_array_equal(scales, fit(past(targets[840:2_999])))


def test_before_enough_has_come_true_the_scales_are_one() -> None:
    forecasts = past(np.full((1_000, 24), 9.0))

    assert (known_scales(forecasts, 720 + 22, DEFAULT) == 1).all()
    assert (known_scales(forecasts, 720 + 23, DEFAULT) > 1).all()


def test_every_day_is_calibrated_on_what_was_known_at_its_start() -> None:
    forecasts = past(np.random.default_rng(4).normal(0, 1.5, (1_200, 24)))

    calibrated = calibrate_forward(forecasts, DEFAULT)

    for day in (0, 20, 35, 49):
        hours = slice(24 * day, 24 * day + 24)
        scales = known_scales(forecasts, 24 * day, DEFAULT)
        expected = apply_scales(forecasts.quantiles[hours], scales, QUANTILE_LEVELS)
        np.testing.assert_array_equal(calibrated[hours], expected)
    assert calibrated.shape == forecasts.quantiles.shape


@pytest.mark.parametrize(("target", "side", "level"), [("high", 1, 0.8), ("low", -1, 0.2)])
def test_highs_and_lows_have_one_side_counted_from_the_last_close(target: str, side: int, level: float) -> None:
    """The score is the outcome over the quantile of the target coverage: 0.8 of a high, 0.2 of a low."""
    end = stats.halfnorm.ppf(0.8)
    forecasts = past_ranges(side * end * np.arange(1.0, 10)[:, None], target)

    assert abs(forecasts.quantiles[0, 0, LEVELS.index(level)]) == pytest.approx(end)
    np.testing.assert_allclose(conformity_scores(forecasts, ALONE), [np.arange(1, 10)])
    assert fit(forecasts) == pytest.approx(8)
    without_width = replace(past_ranges(np.array([[0.0], [side * 0.1]]), target), quantiles=np.zeros((2, 1, 21)))
    assert conformity_scores(without_width, ALONE).tolist() == [[0, np.inf]]


def test_a_tail_moves_with_the_outcomes_that_have_come_since_the_day_before() -> None:
    """Of each day's 24 outcomes one lies 1.1 outer quantiles away; after three days the tail is wider than that."""
    targets = np.zeros((120, 1))
    targets[5::24] = 1.1 * stats.halfnorm.ppf(0.975)
    forecasts = past_ranges(targets, "high")
    rules = DEFAULT.model_copy(update={"tail_step": 0.08})

    found = track_tails(forecasts.opens, tail_scores(forecasts), forecasts.opens[::24], rules)

    wider, narrower = 0.08 * (1 - 24 * 0.025), 0.08 * -24 * 0.025
    np.testing.assert_allclose(np.log(found[:, 0, 0]), np.cumsum([0, wider, wider, wider, narrower]), atol=1e-9)


@pytest.mark.parametrize("scale", [0.85, 1.0, 1.2])
@pytest.mark.parametrize("target", TARGETS)
def test_each_tail_reaches_its_share_beyond(scale: float, target: str) -> None:
    draws = scale * np.random.default_rng(7).normal(size=(12_000, 2))
    outcomes = {"close": draws, "high": np.abs(draws), "low": -np.abs(draws)}[target]
    wide = np.broadcast_to(stats.norm.ppf(LEVELS), (*draws.shape, len(LEVELS)))
    forecasts = replace(past(draws, wide), levels=LEVELS) if target == "close" else past_ranges(outcomes, target)

    calibrated = calibrate_forward(forecasts, DEFAULT)[2_000:]

    beyond = {"below": outcomes[2_000:] < calibrated[:, :, 2], "above": outcomes[2_000:] > calibrated[:, :, -3]}
    tails = {"close": ("below", "above"), "high": ("above",), "low": ("below",)}[target]
    assert [beyond[side].mean() for side in tails] == pytest.approx([0.025] * len(tails), abs=0.004)


def side_of(target: str, quantiles: np.ndarray) -> np.ndarray:
    """The quantiles that a target may have: those of highs are 0 or more, those of lows 0 or less."""
    return quantiles.clip(*{"close": (None, None), "high": (0, None), "low": (None, 0)}[target])


def fans(*shape: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float32, shape, elements=st.floats(-1, 1, width=32)).map(lambda q: np.sort(q, axis=-1))


@given(
    fans(4, 3, 21),
    arrays(np.float64, 3, elements=st.floats(0.01, 100)),
    arrays(np.float64, (2, 3), elements=st.floats(0.5, 2)),
    st.sampled_from(TARGETS),
)
def test_scaled_quantiles_cross_no_level_and_tails_leave_the_scored_ones(
    fan: np.ndarray, scales: np.ndarray, tails: np.ndarray, target: str
) -> None:
    quantiles = side_of(target, fan)

    alone = apply_scales(quantiles, scales, LEVELS, target)
    scaled = apply_scales(quantiles, scales, LEVELS, target, tails[: 2 if target == "close" else 1])

    for made in (alone, scaled):
        assert made.dtype == quantiles.dtype
        assert (np.diff(made, axis=-1) >= 0).all()
        np.testing.assert_array_equal(made, side_of(target, made))
    if target == "close":
        np.testing.assert_array_equal(scaled[:, :, 10], quantiles[:, :, 10])
    else:
        np.testing.assert_allclose(alone, scales[:, None] * quantiles, rtol=1e-6, atol=1e-30)
    for untouched in (slice(3, -3), {"close": slice(0), "high": slice(3), "low": slice(-3, None)}[target]):
        np.testing.assert_array_equal(scaled[:, :, untouched], alone[:, :, untouched])


@given(fans(3, 4, 3, 7))
def test_settled_ranges_contain_the_close_and_the_last_one_and_never_retreat(made: np.ndarray) -> None:
    given = {target: side_of(target, fan) for target, fan in zip(TARGETS, made, strict=True)}

    nested, settled = nest(given), settle(given)

    close, inside = given["close"], given["high"] >= np.maximum(given["close"], 0)
    np.testing.assert_array_equal(nested["high"][inside], given["high"][inside])
    for quantiles in (nested, settled):
        np.testing.assert_array_equal(quantiles["close"], close)
        assert (quantiles["high"] >= np.maximum(close, 0)).all()
        assert (quantiles["low"] <= np.minimum(close, 0)).all()
        assert all((np.diff(values, axis=-1) >= 0).all() for values in quantiles.values())
    assert (np.diff(settled["high"], axis=1) >= 0).all()
    assert (np.diff(settled["low"], axis=1) <= 0).all()
    for target, values in nest(settled).items():
        np.testing.assert_array_equal(values, settled[target])


def test_too_few_windows_or_an_interval_that_is_not_forecast_are_refused() -> None:
    with pytest.raises(DataError, match="3 past forecasts do not calibrate an interval of 80%; wait for more outcomes"):
        fit(past(np.ones((3, 1))))
    with pytest.raises(ParameterError, match=r"calibration needs the quantile 0\.15"):
        fit(past(np.ones((99, 1))), CalibrationParameters(target_coverage=0.7))
