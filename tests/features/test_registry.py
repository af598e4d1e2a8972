import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from make_us_rich.domain.errors import ParameterError
from make_us_rich.features.registry import FEATURE_SETS, compute_features

MakeKlines = Callable[..., pd.DataFrame]
Naive = Callable[[list[dict[str, float]], int, int], float]
HOUR_MS = 3_600_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GAPS = [50, 51, 250]


@pytest.fixture(scope="module")
def klines(make_klines: MakeKlines) -> pd.DataFrame:
    return make_klines(500, seed=3, gaps=GAPS)


@pytest.fixture(scope="module")
def candles(klines: pd.DataFrame) -> list[dict[str, float]]:
    milliseconds = klines["timestamp"].astype("int64").tolist()
    plain = klines[["high", "low", "close", "volume", "trades", "tb_base_av"]].to_dict("records")
    return [{**candle, "opened": opened} for candle, opened in zip(plain, milliseconds, strict=True)]


def run_before(candles: list[dict[str, float]], row: int) -> list[dict[str, float]]:
    """The candles up to a row that follow one another hour by hour."""
    first = row
    while first > 0 and candles[first]["opened"] - candles[first - 1]["opened"] == HOUR_MS:
        first -= 1
    return candles[first : row + 1]


def naive_log_return(candles: list[dict[str, float]], row: int) -> float:
    run = run_before(candles, row)
    return math.log(run[-1]["close"] / run[-2]["close"]) if len(run) > 1 else math.nan


def naive_range(candles: list[dict[str, float]], row: int, hours: int) -> float:
    run = run_before(candles, row)[-hours:]
    squares = [math.log(candle["high"] / candle["low"]) ** 2 for candle in run]
    return math.sqrt(math.fsum(squares) / hours / (4 * math.log(2))) if len(run) == hours else math.nan


def naive_volatility(candles: list[dict[str, float]], row: int, hours: int) -> float:
    if len(run_before(candles, row)) < hours + 1:
        return math.nan
    squares = [naive_log_return(candles, earlier) ** 2 for earlier in range(row - hours + 1, row + 1)]
    return math.sqrt(math.fsum(squares) / hours)


def naive_imbalance(candle: dict[str, float]) -> float:
    return 2 * candle["tb_base_av"] / candle["volume"] - 1 if candle["volume"] else 0.0


def test_log_return_equals_its_naive_twin(klines: pd.DataFrame, candles: list[dict[str, float]]) -> None:
    expected = [naive_log_return(candles, row) for row in range(len(candles))]

    np.testing.assert_allclose(compute_features("returns", klines)["log_return"], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("hours", [1, 24, 168])
@pytest.mark.parametrize(("name", "naive"), [("range", naive_range), ("volatility", naive_volatility)])
def test_range_and_volatility_equal_their_naive_twins(
    klines: pd.DataFrame, candles: list[dict[str, float]], name: str, naive: Naive, hours: int
) -> None:
    expected = [naive(candles, row, hours) for row in range(len(candles))]

    np.testing.assert_allclose(compute_features("returns", klines)[f"{name}_{hours}h"], expected, rtol=1e-12)


def test_time_of_the_week_is_that_of_the_open_time_in_utc(
    klines: pd.DataFrame, candles: list[dict[str, float]]
) -> None:
    opened = [EPOCH + timedelta(milliseconds=candle["opened"]) for candle in candles]

    features = compute_features("returns", klines)

    assert features["hour_of_day"].tolist() == [moment.hour for moment in opened]
    assert features["day_of_week"].tolist() == [moment.weekday() for moment in opened]


def test_activity_equals_its_naive_twin(klines: pd.DataFrame, candles: list[dict[str, float]]) -> None:
    features = compute_features("returns", klines)

    np.testing.assert_allclose(features["log_volume"], [math.log(1 + c["volume"]) for c in candles], rtol=1e-12)
    np.testing.assert_allclose(features["log_trades"], [math.log(1 + c["trades"]) for c in candles], rtol=1e-12)
    np.testing.assert_allclose(features["taker_imbalance"], [naive_imbalance(c) for c in candles], atol=1e-12)


COLUMNS = [
    "day_of_week",
    "day_of_month",
    "week_of_year",
    "month_of_year",
    "open",
    "high",
    "low",
    "close",
    "close_change",
]


def row_by_row(klines: pd.DataFrame) -> pd.DataFrame:
    """The 2022 way: one dictionary a candle."""
    milliseconds = klines["timestamp"].astype("int64")
    records = []
    for opened_ms, (_, candle) in zip(milliseconds, klines.iterrows(), strict=True):
        opened = EPOCH + timedelta(milliseconds=opened_ms)
        records.append(
            {
                "day_of_week": opened.weekday(),
                "day_of_month": opened.day,
                "week_of_year": opened.isocalendar().week,
                "month_of_year": opened.month,
                **{price: candle[price] for price in ("open", "high", "low", "close")},
                "close_change": candle["close"] - candle["open"],
            }
        )
    return pd.DataFrame(records)


def test_equals_row_by_row_over_two_turns_of_the_year(make_klines: Callable[..., pd.DataFrame]) -> None:
    klines = make_klines(9_500, start="2020-12-20", gaps=[40, 41])

    features = compute_features("calendar_ohlc", klines)

    np.testing.assert_array_equal(features.to_numpy(), row_by_row(klines)[COLUMNS].to_numpy())


by_name = pytest.mark.parametrize("name", sorted(FEATURE_SETS))


def test_an_unknown_name_is_refused_with_the_known_ones(make_klines: MakeKlines) -> None:
    match = "feature set 'levels' is unknown; choose one of calendar_ohlc, returns"
    with pytest.raises(ParameterError, match=match):
        compute_features("levels", make_klines(3))


@by_name
@pytest.mark.parametrize("rows", [0, 1, 26])
def test_a_row_of_features_for_each_candle(make_klines: MakeKlines, name: str, rows: int) -> None:
    klines = make_klines(rows + 4, gaps=[7]).iloc[4:]
    before = klines.copy()

    features = compute_features(name, klines)

    assert features.index.name == "timestamp"
    assert features.index.tolist() == klines["timestamp"].tolist()
    assert tuple(features.columns) == FEATURE_SETS[name].columns
    assert set(features.dtypes) == {np.dtype("float64")}
    pd.testing.assert_frame_equal(klines, before)


@by_name
def test_the_warm_up_is_incomplete_and_starts_again_after_a_gap(make_klines: MakeKlines, name: str) -> None:
    warmup = FEATURE_SETS[name].warmup
    features = compute_features(name, make_klines(2 * warmup + 20, gaps=[warmup + 10]))

    complete = features.notna().all(axis=1).tolist()

    assert complete == [False] * warmup + [True] * 10 + [False] * warmup + [True] * 10


@by_name
@settings(max_examples=15)
@given(wanted=st.integers(1, 60), gap=st.integers(1, 100))
def test_the_last_rows_need_only_the_warm_up_before_them(
    make_klines: MakeKlines, name: str, wanted: int, gap: int
) -> None:
    """Serving computes the newest rows from the newest candles and must not differ from training."""
    klines, warmup = make_klines(900, seed=1, gaps=[gap]), FEATURE_SETS[name].warmup

    tail = compute_features(name, klines.tail(warmup + wanted)).tail(wanted)

    assert tail.notna().all(axis=None)
    whole = compute_features(name, klines).tail(wanted)
    pd.testing.assert_frame_equal(tail, whole, check_exact=False, rtol=1e-12, atol=1e-13)
