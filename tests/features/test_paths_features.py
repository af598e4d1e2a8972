import math
from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from make_us_rich.features.feature_set import FEATURE_SETS, compute_features

MakeKlines = Callable[..., pd.DataFrame]
ROWS, MONTH = 780, 720
BASIS_POINT = 1e-4
HAR = list(FEATURE_SETS["har"].columns)
prices = ["open", "high", "low", "close"]


@pytest.fixture(scope="module")
def klines(make_klines: MakeKlines) -> pd.DataFrame:
    return make_klines(ROWS)


@pytest.fixture(scope="module")
def features(klines: pd.DataFrame) -> pd.DataFrame:
    return compute_features("paths", klines)


def naive_log_range(klines: pd.DataFrame, row: int) -> float:
    """Parkinson's volatility of one candle, floored."""
    candle = klines.iloc[row]
    volatility = math.log(candle["high"] / candle["low"]) / math.sqrt(4 * math.log(2))
    return math.log(math.sqrt(volatility**2 + BASIS_POINT**2))


def naive_week(klines: pd.DataFrame, row: int) -> float:
    return sum(naive_log_range(klines, at) for at in range(row - 167, row + 1)) / 168


def test_the_columns_of_har_come_first_and_are_the_same(klines: pd.DataFrame, features: pd.DataFrame) -> None:
    assert features.columns[: len(HAR)].tolist() == HAR
    pd.testing.assert_frame_equal(features[HAR], compute_features("har", klines), check_exact=True)


def test_a_return_is_measured_in_the_weeks_mean_range(klines: pd.DataFrame, features: pd.DataFrame) -> None:
    for row in (MONTH - 1, MONTH + 7, ROWS - 1):
        move = math.log(klines["close"].iloc[row] / klines["close"].iloc[row - 1])

        expected = move / math.exp(naive_week(klines, row))
        assert features["scaled_return"].iloc[row] == pytest.approx(expected, rel=1e-9)


def test_a_range_is_relative_to_that_of_the_week(klines: pd.DataFrame, features: pd.DataFrame) -> None:
    for row in (MONTH - 1, MONTH + 7, ROWS - 1):
        expected = naive_log_range(klines, row) - naive_week(klines, row)

        assert features["relative_range"].iloc[row] == pytest.approx(expected, rel=1e-9)


def test_prices_in_another_unit_are_the_same_path(klines: pd.DataFrame, features: pd.DataFrame) -> None:
    scaled = klines.assign(**{name: klines[name] * 1e-6 for name in prices})

    pd.testing.assert_frame_equal(compute_features("paths", scaled), features, rtol=1e-7, atol=1e-7)


def test_only_prices_and_volume_are_needed(klines: pd.DataFrame, features: pd.DataFrame) -> None:
    bare = klines.assign(quote_av=0.0, trades=0, tb_base_av=0.0, tb_quote_av=0.0)

    pd.testing.assert_frame_equal(compute_features("paths", bare), features, check_exact=True)


def test_an_hour_that_did_not_move_is_zero(make_klines: MakeKlines) -> None:
    still = make_klines(MONTH)
    still[prices], still["volume"] = 100.0, 0.0

    last = compute_features("paths", still).iloc[-1]

    assert last["scaled_return"] == 0
    assert last["relative_range"] == pytest.approx(0, abs=1e-12)


def test_warm_up_is_that_of_har_and_begins_anew_after_a_gap(make_klines: MakeKlines) -> None:
    complete = compute_features("paths", make_klines(1500, gaps=[740])).notna().all(axis=1)

    assert FEATURE_SETS["paths"].warmup == MONTH - 1
    assert complete.tolist() == [False] * (MONTH - 1) + [True] * 21 + [False] * (MONTH - 1) + [True] * 41


@settings(max_examples=20)
@given(last=st.integers(MONTH, ROWS - 2), factor=st.floats(0.5, 2))
def test_no_feature_depends_on_a_later_candle(
    klines: pd.DataFrame, features: pd.DataFrame, last: int, factor: float
) -> None:
    changed = klines.copy()
    later = changed.index > last
    numbers = [*prices, "volume"]
    changed.loc[later, numbers] = changed.loc[later, numbers] * factor + 1

    recomputed = compute_features("paths", changed).iloc[: last + 1]

    pd.testing.assert_frame_equal(recomputed, features.iloc[: last + 1], check_exact=True)
