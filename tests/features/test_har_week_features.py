import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from make_us_rich.features.feature_set import FEATURE_SETS, compute_features

MakeKlines = Callable[..., pd.DataFrame]
ROWS, MONTH = 780, 720
BASIS_POINT = 1e-4
HAR = list(FEATURE_SETS["har"].columns)
SAME_HOURS = {
    "day_ago_1h": ([1], [24]),
    "day_ago_4h": (range(1, 5), [24]),
    "weeks_ago_1h": ([1], [168, 336]),
    "weeks_ago_4h": (range(1, 5), [168, 336]),
    "weeks_ago_12h": (range(1, 13), [168, 336]),
    "weeks_ago_24h": (range(1, 25), [168, 336]),
}
"""Coming hours, and how many hours before them the ranges are read."""


@pytest.fixture(scope="module")
def klines(make_klines: MakeKlines) -> pd.DataFrame:
    return make_klines(ROWS)


@pytest.fixture(scope="module")
def features(klines: pd.DataFrame) -> pd.DataFrame:
    return compute_features("har_week", klines)


def naive_log_range(klines: pd.DataFrame, row: int) -> float:
    candle = klines.iloc[row]
    volatility = math.log(candle["high"] / candle["low"]) / math.sqrt(4 * math.log(2))
    return math.log(math.sqrt(volatility**2 + BASIS_POINT**2))


def test_the_columns_of_har_come_first_and_are_the_same(klines: pd.DataFrame, features: pd.DataFrame) -> None:
    assert features.columns.tolist() == [*HAR, *SAME_HOURS]
    pd.testing.assert_frame_equal(features[HAR], compute_features("har", klines), check_exact=True)


@pytest.mark.parametrize("name", SAME_HOURS)
def test_the_same_hours_of_before_are_averaged(klines: pd.DataFrame, features: pd.DataFrame, name: str) -> None:
    ahead, before = SAME_HOURS[name]

    for row in (MONTH - 1, MONTH + 30, ROWS - 1):
        read = [naive_log_range(klines, row + hour - lag) for hour in ahead for lag in before]
        assert features[name].iloc[row] == pytest.approx(sum(read) / len(read), rel=1e-9)


def test_every_column_is_complete_from_the_same_row_on(features: pd.DataFrame) -> None:
    assert features.iloc[: MONTH - 1][[*SAME_HOURS]].isna().all(axis=None)
    assert np.isfinite(features.iloc[MONTH - 1 :]).all(axis=None)
