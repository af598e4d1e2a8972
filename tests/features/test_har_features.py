import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from make_us_rich.features.feature_set import FEATURE_SETS, compute_features

MakeKlines = Callable[..., pd.DataFrame]
ROWS, MONTH = 780, 720
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BASIS_POINT = 1e-4
numbers = ["open", "high", "low", "close", "volume"]


@pytest.fixture(scope="module")
def klines(make_klines: MakeKlines) -> pd.DataFrame:
    return make_klines(ROWS)


@pytest.fixture(scope="module")
def features(klines: pd.DataFrame) -> pd.DataFrame:
    return compute_features("har", klines)


def naive_log_range(klines: pd.DataFrame, row: int) -> float:
    """Parkinson's volatility of one candle, floored."""
    candle = klines.iloc[row]
    volatility = math.log(candle["high"] / candle["low"]) / math.sqrt(4 * math.log(2))
    return math.log(math.sqrt(volatility**2 + BASIS_POINT**2))


def naive_move(klines: pd.DataFrame, row: int, hours: int) -> float:
    """Return over the last hours, as an hourly one."""
    close = klines["close"]
    return math.log(close.iloc[row] / close.iloc[row - hours]) / math.sqrt(hours)


@pytest.mark.parametrize("hours", [1, 4, 12, 24, 72, 168, 720])
def test_log_range_equals_its_naive_twin(klines: pd.DataFrame, features: pd.DataFrame, hours: int) -> None:
    for row in (MONTH - 1, MONTH + 7, ROWS - 1):
        logs = [naive_log_range(klines, at) for at in range(row - hours + 1, row + 1)]

        assert features[f"log_range_{hours}h"].iloc[row] == pytest.approx(sum(logs) / hours, rel=1e-12)


def test_profile_is_the_mean_of_the_coming_hour_of_day_over_the_last_30_days(
    klines: pd.DataFrame, features: pd.DataFrame
) -> None:
    for row in (MONTH - 1, MONTH + 7, ROWS - 1):
        coming = klines["timestamp"].iloc[row] + timedelta(hours=1)
        seen = [at for at in range(row + 1) if klines["timestamp"].iloc[at].hour == coming.hour]
        logs = [naive_log_range(klines, at) for at in seen[-30:]]

        assert features["log_range_profile"].iloc[row] == pytest.approx(sum(logs) / 30, rel=1e-12)


def test_volume_surge_is_the_log_volume_less_that_of_the_week(klines: pd.DataFrame, features: pd.DataFrame) -> None:
    week = [math.log(1 + volume) for volume in klines["volume"].iloc[ROWS - 168 :]]

    assert features["volume_surge"].iloc[-1] == pytest.approx(week[-1] - sum(week) / 168, rel=1e-10)


@pytest.mark.parametrize("hours", [1, 24])
def test_log_move_equals_its_naive_twin(klines: pd.DataFrame, features: pd.DataFrame, hours: int) -> None:
    expected = math.log(math.hypot(naive_move(klines, ROWS - 1, hours), BASIS_POINT))

    assert features[f"log_move_{hours}h"].iloc[-1] == pytest.approx(expected, rel=1e-10)


def test_fall_is_measured_in_the_weeks_mean_range_and_a_rise_is_none(
    klines: pd.DataFrame, features: pd.DataFrame
) -> None:
    for row in range(MONTH - 1, ROWS):
        week = math.exp(sum(naive_log_range(klines, at) for at in range(row - 167, row + 1)) / 168)

        assert features["fall_24h"].iloc[row] == pytest.approx(min(naive_move(klines, row, 24), 0) / week, abs=1e-10)
    assert {True, False} == set(features["fall_24h"].iloc[MONTH:] < 0)


def test_dummies_are_those_of_the_coming_hour_in_utc(klines: pd.DataFrame, features: pd.DataFrame) -> None:
    for row, opened in enumerate(klines["timestamp"]):
        coming = opened.to_pydatetime() + timedelta(hours=1)
        expected = {f"hour_{hour}": coming.hour == hour for hour in range(1, 24)}
        expected |= {f"day_{day}": coming.weekday() == day for day in range(1, 7)}
        block = coming.hour // 4 * 4
        expected |= {f"weekend_{h}h": coming.weekday() >= 5 and block == h for h in (4, 8, 12, 16, 20)}

        assert features.iloc[row][list(expected)].to_dict() == expected


def test_an_hour_that_did_not_move_is_a_basis_point(make_klines: MakeKlines) -> None:
    still = make_klines(MONTH)
    still[["open", "high", "low", "close"]], still["volume"] = 100.0, 0.0

    last = compute_features("har", still).iloc[-1]

    for column in ("log_range_1h", "log_range_720h", "log_range_profile", "log_move_1h", "log_move_24h"):
        assert last[column] == pytest.approx(math.log(BASIS_POINT))
    assert last["volume_surge"] == last["fall_24h"] == 0


def test_warm_up_is_a_month_and_begins_anew_after_a_gap(make_klines: MakeKlines) -> None:
    warmup = FEATURE_SETS["har"].warmup
    complete = compute_features("har", make_klines(1500, gaps=[740])).notna().all(axis=1)

    assert warmup == MONTH - 1
    assert complete.tolist() == [False] * warmup + [True] * 21 + [False] * warmup + [True] * 41


@settings(max_examples=20)
@given(last=st.integers(MONTH, ROWS - 2), factor=st.floats(0.5, 2))
def test_no_feature_depends_on_a_later_candle(
    klines: pd.DataFrame, features: pd.DataFrame, last: int, factor: float
) -> None:
    changed = klines.copy()
    later = changed.index > last
    changed.loc[later, numbers] = changed.loc[later, numbers] * factor + 1
    changed.loc[later, "timestamp"] += pd.Timedelta("17h")

    recomputed = compute_features("har", changed).iloc[: last + 1]

    pd.testing.assert_frame_equal(recomputed, features.iloc[: last + 1], check_exact=True)


def test_every_candle_of_the_month_counts(klines: pd.DataFrame, features: pd.DataFrame) -> None:
    changed = klines.copy()
    changed.loc[ROWS - MONTH, "high"] *= 2

    newest = compute_features("har", changed).iloc[-1]

    assert newest["log_range_720h"] > features["log_range_720h"].iloc[-1]


@settings(max_examples=20)
@given(wanted=st.integers(1, 60), gap=st.integers(1, 100))
def test_the_tail_has_the_values_of_the_whole_series(make_klines: MakeKlines, wanted: int, gap: int) -> None:
    klines = make_klines(ROWS + 100, seed=1, gaps=[gap])

    tail = compute_features("har", klines.tail(FEATURE_SETS["har"].warmup + wanted)).tail(wanted)

    assert tail.notna().all(axis=None)
    whole = compute_features("har", klines).tail(wanted)
    pd.testing.assert_frame_equal(tail, whole, check_exact=False, rtol=1e-12, atol=1e-13)
