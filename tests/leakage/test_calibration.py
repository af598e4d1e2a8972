"""What has not come true when a forecast is issued calibrates nothing of it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.backtest.calibration import (
    CalibrationParameters,
    PastForecasts,
    Scales,
    calibrate_forward,
    conformity_scores,
    fit_scales,
    scales_at,
)
from make_us_rich.domain.forecast import LEVELS, TARGETS

WINDOWS, HORIZON = 200, 6
HOUR = np.timedelta64(1, "h")
RULES = CalibrationParameters(window_days=4, shrinkage=0, min_forecasts=10, min_scale=0.01, max_scale=100)
windows = st.integers(0, WINDOWS - 1)
WILD = (0.0, 1e6, np.nan)
"""Outcomes on the median, beyond every quantile, and none."""
seeds = st.integers(0, 2**32 - 1)
targets = st.sampled_from(TARGETS)
Calibrate = Callable[[PastForecasts, np.datetime64], Scales]


def past_of(seed: int, target: str = "close") -> PastForecasts:
    """Forecasts of many widths, with hours missing here and there."""
    side = {"close": (-1, 1), "high": (0, 1), "low": (-1, 0)}[target]
    generator = np.random.default_rng(seed)
    hours = np.cumsum(generator.choice([1, 1, 1, 1, 1, 9], WINDOWS))
    widths = generator.gamma(2, size=(WINDOWS, HORIZON, 1))
    return PastForecasts(
        opens=np.datetime64("2025-01-01", "ms") + hours * HOUR,
        targets=generator.standard_t(4, (WINDOWS, HORIZON)).clip(*(9 * np.array(side))),
        quantiles=widths * np.linspace(*side, len(LEVELS)),
        levels=LEVELS,
        target=target,
    )


def with_other_outcomes(past: PastForecasts, window: int, value: float) -> PastForecasts:
    """Every outcome that comes after the candle of a window's origin is another, and so is every later forecast."""
    comes = past.opens[:, None] + np.arange(1, HORIZON + 1) * HOUR
    later = past.opens > past.opens[window]
    return replace(
        past,
        targets=np.where(comes > past.opens[window], value, past.targets),
        quantiles=np.where(later[:, None, None], 3 * past.quantiles, past.quantiles),
    )


def assert_knows_only_the_past(calibrate: Calibrate, past: PastForecasts, window: int) -> None:
    moment = past.opens[window]
    for value in WILD:
        changed = calibrate(with_other_outcomes(past, window, value), moment)
        np.testing.assert_array_equal(changed, calibrate(past, moment))


def as_served(past: PastForecasts, moment: np.datetime64) -> Scales:
    return scales_at(past.opens, conformity_scores(past, RULES), moment, RULES)


@given(seeds, windows, targets)
def test_factors_do_not_change_with_outcomes_that_have_not_come(seed: int, window: int, target: str) -> None:
    assert_knows_only_the_past(as_served, past_of(seed, target), window)


@given(seeds, windows, st.sampled_from(WILD), targets)
def test_no_calibrated_forecast_changes_with_outcomes_that_have_not_come(
    seed: int, window: int, value: float, target: str
) -> None:
    past = past_of(seed, target)

    with np.errstate(invalid="ignore"):
        changed = calibrate_forward(with_other_outcomes(past, window, value), RULES)

    np.testing.assert_array_equal(changed[: window + 1], calibrate_forward(past, RULES)[: window + 1])


def on_all_forecasts(past: PastForecasts, moment: np.datetime64) -> Scales:
    return fit_scales(conformity_scores(past, RULES), RULES)


def on_forecasts_that_were_issued(past: PastForecasts, moment: np.datetime64) -> Scales:
    """It forgets that the newest of them have not come true."""
    issued = past.opens < moment
    return fit_scales(conformity_scores(past, RULES)[:, issued], RULES)


def on_all_but_the_newest_hour(past: PastForecasts, moment: np.datetime64) -> Scales:
    """One hour too few are left out."""
    come = past.opens + (HORIZON - 1) * HOUR <= moment
    return fit_scales(conformity_scores(past, RULES)[:, come], RULES)


LEAKS = (on_all_forecasts, on_forecasts_that_were_issued, on_all_but_the_newest_hour)


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_a_calibration_that_looks_ahead_is_caught(leak: Calibrate) -> None:
    past = past_of(0)
    without_gap = past.opens[HORIZON:] - past.opens[:-HORIZON] == HORIZON * HOUR
    window = np.flatnonzero(without_gap)[-1] + HORIZON

    with pytest.raises(AssertionError, match="not equal"):
        assert_knows_only_the_past(leak, past, window)
