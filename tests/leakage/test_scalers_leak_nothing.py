"""A scaler knows the rows that its fit windows see, and nothing later; here and in every fold of a walk."""

import numpy as np
import pandas as pd
import pytest

from leakage.causality import wild_after
from leakage.walked import ROWS, Blind, Relived, relive
from make_us_rich.features.feature_set import FEATURE_SETS
from make_us_rich.models.interface import Scaler, scaler_fingerprint
from make_us_rich.models.registry import TrainingParameters
from synthetic import prepare, simulated_klines

LOOKBACK = 24
by_feature_set = pytest.mark.parametrize("name", sorted(FEATURE_SETS))
by_architecture = pytest.mark.parametrize("name", TrainingParameters.names())


def market(name: str) -> pd.DataFrame:
    return simulated_klines(rows=ROWS + LOOKBACK + FEATURE_SETS[name].warmup - FEATURE_SETS["har"].warmup)


def walked(klines: pd.DataFrame, name: str) -> Relived:
    return relive(klines, {"blind": Blind(feature_set=name, lookback=LOOKBACK)})


def scalers(relived: Relived) -> list[Scaler]:
    return [fit.scaler for fit in relived.fits["blind"]]


@by_feature_set
def test_no_scaler_of_a_walk_changes_with_a_candle_after_the_last_input_of_its_fit(name: str) -> None:
    told = walked(market(name), name)

    for number, fold in enumerate(told.folds):
        changed = walked(wild_after(market(name), fold.fit[-1]), name)
        for before, after in zip(scalers(told)[: number + 1], scalers(changed), strict=False):
            assert scaler_fingerprint(after) == scaler_fingerprint(before)
        for before, after in zip(scalers(told)[number + 1 :], scalers(changed)[number + 1 :], strict=True):
            assert scaler_fingerprint(after) != scaler_fingerprint(before)


@by_feature_set
def test_every_scaler_of_a_walk_is_that_of_the_rows_that_its_fit_sees(name: str) -> None:
    for fit in walked(market(name), name).fits["blind"]:
        seen = fit.parts.fit.inputs().reshape(-1, len(FEATURE_SETS[name].columns))

        np.testing.assert_array_equal(fit.scaler.data_min_, seen.min(axis=0))
        np.testing.assert_array_equal(fit.scaler.data_max_, seen.max(axis=0))


@by_architecture
def test_no_scaler_of_the_split_changes_with_a_candle_from_the_first_validation_target_on(name: str) -> None:
    klines = simulated_klines(rows=2_400)
    told = prepare(klines, name)
    first = told.parts(name).validation.origins[0]

    changed = prepare(wild_after(klines, first), name)

    assert scaler_fingerprint(changed.scalers[name]) == scaler_fingerprint(told.scalers[name])


@by_architecture
def test_the_scaler_of_the_split_changes_with_the_last_rows_that_the_fit_sees(name: str) -> None:
    klines = simulated_klines(rows=2_400)
    told = prepare(klines, name)

    changed = prepare(wild_after(klines, told.parts(name).fit.origins[-1] - 1), name)

    assert scaler_fingerprint(changed.scalers[name]) != scaler_fingerprint(told.scalers[name])
