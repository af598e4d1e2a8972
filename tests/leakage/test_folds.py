"""No fit of a backtest and no scaler uses a candle after its border, and no forecast one after its origin."""

import pickle
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leakage.causality import wild_after
from leakage.recorded import ROWS, Blind, RecordedBacktest, market, record_backtest
from make_us_rich.backtest.calibration import CalibrationParameters, calibrate_forward
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.features.registry import FEATURE_SETS
from make_us_rich.features.split import Parts
from make_us_rich.models.base import Architecture, FitSettings, Scaler, scaler_fingerprint
from make_us_rich.models.baseline import Baseline, FittedBaseline
from make_us_rich.models.har import FittedHar, Har, fit_volatility
from make_us_rich.models.registry import TrainingParameters
from synthetic import prepare, simulated_klines

RECIPES = {
    "baseline": Baseline(lookback=24, decays=(0.9, 0.97)),
    "har": Har(lookback=1, symmetric_from=12, symmetry=0.5),
}
LAST = ROWS - HORIZON - 1
BORDERS = (LAST - 47, LAST - 47 - 48, LAST - 47 - 2 * 48, LAST - 47 - 2 * 48 - 60)
"""Row of each fold's first test origin, newest first, the calibration fold's last: targets of its fit open no later."""
CALIBRATION = CalibrationParameters(min_forecasts=24)
DAY = np.timedelta64(24, "h")


@cache
def recorded() -> RecordedBacktest:
    return record_backtest(market(), RECIPES)


def assert_same_up_to(row: int, before: RecordedBacktest, after: RecordedBacktest) -> None:
    """Forecasts at origins up to the row, and all fits whose border is no later."""
    now = market()["timestamp"][row].tz_localize(None).to_datetime64()
    for target, backtest in before.backtests.items():
        changed, issued = after.backtests[target], backtest.opens <= now
        np.testing.assert_array_equal(changed.opens, backtest.opens)
        np.testing.assert_array_equal(changed.naive_errors[issued], backtest.naive_errors[issued])
        over = issued & (backtest.opens + DAY <= now)
        np.testing.assert_array_equal(changed.targets[over], backtest.targets[over])
        for name in before.fits:
            np.testing.assert_array_equal(changed.quantiles[name][issued], backtest.quantiles[name][issued])
            calibrated, again = (calibrate_forward(each.past(name), CALIBRATION) for each in (backtest, changed))
            np.testing.assert_array_equal(again[issued], calibrated[issued])
    for name, fits in before.fits.items():
        for old, new in zip(fits, after.fits[name], strict=True):
            if old.parts.test.origins[0] <= row:
                assert pickle.dumps(new.fitted) == pickle.dumps(old.fitted), f"{name} is another fit"


@settings(max_examples=10)
@given(row=st.integers(BORDERS[-1], LAST))
@example(row=BORDERS[0])
@example(row=BORDERS[1])
@example(row=BORDERS[2])
@example(row=BORDERS[3])
def test_no_fit_and_no_forecast_changes_with_a_later_candle(row: int) -> None:
    assert_same_up_to(row, recorded(), record_backtest(wild_after(market(), row), RECIPES))


def test_borders_are_where_they_are_said_to_be() -> None:
    assert tuple(fold.test[0] for fold in recorded().folds)[::-1] == BORDERS


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_candle_at_the_border_is_the_last_that_a_fit_knows(name: str) -> None:
    after = record_backtest(wild_after(market(), BORDERS[0] - 1), {name: RECIPES[name]})

    assert pickle.dumps(after.fits[name][-1].fitted) != pickle.dumps(recorded().fits[name][-1].fitted)


class FittedOnItsTest(Baseline):
    """Trains on its test hours."""

    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings, previous: Any = None) -> FittedBaseline:
        return super().fit(Parts(parts.test, parts.validation, parts.test), scaler, settings)


class WithoutEmbargo(Baseline):
    """Validates on the hours right before its fold, whose outcomes were not observed at its first origin."""

    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings, previous: Any = None) -> FittedBaseline:
        last = parts.test.at(parts.test.origins[0] - np.arange(HORIZON)[::-1])
        return super().fit(Parts(parts.train, last, parts.test), scaler, settings)


class SeasonOfItsTest(Har):
    """Fits the season's profile on its test hours, and everything else as it should."""

    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings, previous: Any = None) -> FittedHar:
        fitted = self.fit_har(parts.train_validation(), settings.levels)
        profile = fit_volatility(parts.test).profile.astype(np.float32)
        volatility = replace(fitted.volatility, profile=profile)
        return replace(fitted, volatility=volatility)


CHEATS = (
    FittedOnItsTest(lookback=24, decays=(0.9, 0.97)),
    WithoutEmbargo(lookback=24, decays=(0.9, 0.97)),
    SeasonOfItsTest(lookback=1, symmetric_from=12, symmetry=0.5),
)


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: type(cheat).__name__)
def test_a_fit_that_looks_beyond_its_border_is_caught(cheat: Architecture) -> None:
    before = record_backtest(market(), {"cheat": cheat})

    with pytest.raises(AssertionError):
        assert_same_up_to(BORDERS[0], before, record_backtest(wild_after(market(), BORDERS[0]), {"cheat": cheat}))


def test_an_embargo_of_a_day_separates_the_parts() -> None:
    for fit in recorded().fits["har"]:
        parts, opens = fit.parts, fit.parts.test.timestamps
        assert opens[parts.test.origins[0]] - opens[parts.validation.origins[-1]] >= DAY
        assert opens[parts.validation.origins[0]] - opens[parts.train.origins[-1]] >= DAY


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_fit_begins_only_where_the_fit_of_the_fold_before_it_ended(name: str) -> None:
    fits = recorded().fits[name]

    assert fits[0].previous is None
    for older, newer in pairwise(fits):
        assert newer.previous is older.fitted
        assert older.parts.test.origins[0] < newer.parts.test.origins[0]


LOOKBACK = 24
by_feature_set = pytest.mark.parametrize("name", sorted(FEATURE_SETS))
by_architecture = pytest.mark.parametrize("name", TrainingParameters.names())


def market_of(name: str) -> pd.DataFrame:
    return simulated_klines(rows=ROWS + LOOKBACK + FEATURE_SETS[name].warmup - FEATURE_SETS["har"].warmup)


def record(klines: pd.DataFrame, name: str) -> RecordedBacktest:
    return record_backtest(klines, {"blind": Blind(feature_set=name, lookback=LOOKBACK)})


def scalers(recorded_backtest: RecordedBacktest) -> list[Scaler]:
    return [fit.scaler for fit in recorded_backtest.fits["blind"]]


@by_feature_set
def test_no_scaler_of_a_backtest_changes_with_a_candle_after_the_last_input_of_its_fit(name: str) -> None:
    before = record(market_of(name), name)

    for number, fold in enumerate(before.folds):
        changed = record(wild_after(market_of(name), fold.train[-1]), name)
        for old, new in zip(scalers(before)[: number + 1], scalers(changed), strict=False):
            assert scaler_fingerprint(new) == scaler_fingerprint(old)
        for old, new in zip(scalers(before)[number + 1 :], scalers(changed)[number + 1 :], strict=True):
            assert scaler_fingerprint(new) != scaler_fingerprint(old)


@by_feature_set
def test_every_scaler_of_a_backtest_is_that_of_the_rows_that_its_fit_sees(name: str) -> None:
    for fit in record(market_of(name), name).fits["blind"]:
        seen = fit.parts.train.inputs().reshape(-1, len(FEATURE_SETS[name].columns))

        np.testing.assert_array_equal(fit.scaler.data_min_, seen.min(axis=0))
        np.testing.assert_array_equal(fit.scaler.data_max_, seen.max(axis=0))


@by_architecture
def test_no_scaler_of_the_split_changes_with_a_candle_from_the_first_validation_target_on(name: str) -> None:
    klines = simulated_klines(rows=2_400)
    before = prepare(klines, name)
    first = before.parts(name).validation.origins[0]

    changed = prepare(wild_after(klines, first), name)

    assert scaler_fingerprint(changed.scalers[name]) == scaler_fingerprint(before.scalers[name])
