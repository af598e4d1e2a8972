"""No fit of a walk knows a candle after its border, and no forecast one after its origin."""

import pickle
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leakage.causality import wild_after
from leakage.walked import PLAN, ROWS, Relived, market, relive
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.evaluation.calibration import Calibration, calibrate_forward
from make_us_rich.features.split import Parts
from make_us_rich.models.baseline import Baseline, FittedBaseline
from make_us_rich.models.har import Har
from make_us_rich.models.interface import Architecture, FitSettings, Scaler

RECIPES = {
    "baseline": Baseline(lookback=24, decays=(0.9, 0.97)),
    "har": Har(lookback=1, symmetric_from=12, symmetry=0.5),
}
LAST = ROWS - HORIZON - 1
BORDERS = (LAST - 47, LAST - 47 - 48, LAST - 47 - 2 * 48, LAST - 47 - 2 * 48 - 60)
"""Row of each fold's first judged origin, newest first, the lead-in's last: targets of its fit open no later."""
CALIBRATION = Calibration(least_windows=24)
DAY = np.timedelta64(24, "h")


@cache
def told() -> Relived:
    return relive(market(), RECIPES)


def assert_same_up_to(row: int, before: Relived, after: Relived) -> None:
    """Forecasts at origins up to the row, and all fits whose border is no later."""
    now = market()["timestamp"][row].tz_localize(None).to_datetime64()
    issued = before.walk.opens <= now
    np.testing.assert_array_equal(after.walk.opens, before.walk.opens)
    np.testing.assert_array_equal(after.walk.naive_errors[issued], before.walk.naive_errors[issued])
    for name, fits in before.fits.items():
        np.testing.assert_array_equal(after.walk.quantiles[name][issued], before.walk.quantiles[name][issued])
        calibrated, again = (calibrate_forward(each.walk.past(name), CALIBRATION) for each in (before, after))
        np.testing.assert_array_equal(again[issued], calibrated[issued])
        for old, new in zip(fits, after.fits[name], strict=True):
            if old.parts.test.origins[0] <= row:
                assert pickle.dumps(new.fitted) == pickle.dumps(old.fitted), f"{name} is another fit"


@settings(max_examples=10, deadline=None)
@given(row=st.integers(BORDERS[-1], LAST))
@example(row=BORDERS[0])
@example(row=BORDERS[1])
@example(row=BORDERS[2])
@example(row=BORDERS[3])
def test_no_fit_and_no_forecast_changes_with_a_later_candle(row: int) -> None:
    assert_same_up_to(row, told(), relive(wild_after(market(), row), RECIPES))


def test_borders_are_where_they_are_said_to_be() -> None:
    assert tuple(fold.test[0] for fold in told().folds)[::-1] == BORDERS


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_candle_at_the_border_is_the_last_that_a_fit_knows(name: str) -> None:
    after = relive(wild_after(market(), BORDERS[0] - 1), {name: RECIPES[name]})

    assert pickle.dumps(after.fits[name][-1].fitted) != pickle.dumps(told().fits[name][-1].fitted)


class FittedOnItsTest(Baseline):
    """It looks at the hours on which it will be judged."""

    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedBaseline:
        return super().fit(Parts(parts.test, parts.validation, parts.test), scaler, settings)


class WithoutEmbargo(Baseline):
    """It learns from the hours right before its fold, whose outcomes had not come when it was first asked."""

    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedBaseline:
        last = parts.test.at(parts.test.origins[0] - np.arange(HORIZON)[::-1])
        return super().fit(Parts(parts.fit, last, parts.test), scaler, settings)


@pytest.mark.parametrize("recipe", [FittedOnItsTest, WithoutEmbargo])
def test_a_fit_that_looks_beyond_its_border_is_caught(recipe: type[Baseline]) -> None:
    cheat: dict[str, Architecture] = {"cheat": recipe(lookback=24, decays=(0.9, 0.97))}

    with pytest.raises(AssertionError):
        assert_same_up_to(BORDERS[0], relive(market(), cheat), relive(wild_after(market(), BORDERS[0]), cheat))


def test_a_day_lies_between_the_last_origin_learned_from_and_the_first_judged() -> None:
    for fit in told().fits["har"]:
        parts, opens = fit.parts, fit.parts.test.timestamps
        assert opens[parts.test.origins[0]] - opens[parts.validation.origins[-1]] >= DAY
        assert opens[parts.validation.origins[0]] - opens[parts.fit.origins[-1]] >= DAY


def test_every_hour_is_judged_in_one_fold_only_and_none_between_them_is_left_out() -> None:
    opens, folds = told().walk.opens, told().walk.folds

    assert set(np.diff(opens)) == {np.timedelta64(1, "h")}
    assert np.bincount(folds).tolist() == [PLAN.lead_in_hours, *[PLAN.hours] * PLAN.folds]
    assert (np.diff(folds) >= 0).all()


def test_no_hour_is_judged_that_an_earlier_or_its_own_fit_has_learned_from() -> None:
    for number, fold in enumerate(told().folds):
        for earlier in told().folds[: number + 1]:
            assert max(earlier.fit[-1], earlier.validation[-1]) + HORIZON <= fold.test[0]


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_fit_begins_only_where_the_fit_of_the_fold_before_it_ended(name: str) -> None:
    fits = told().fits[name]

    assert fits[0].previous is None
    for older, newer in pairwise(fits):
        assert newer.previous is older.fitted
        assert older.parts.test.origins[0] < newer.parts.test.origins[0]
