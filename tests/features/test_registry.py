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


def test_returns_equal_their_naive_twins(klines: pd.DataFrame, candles: list[dict[str, float]]) -> None:
    opened = [EPOCH + timedelta(milliseconds=candle["opened"]) for candle in candles]
    expected = {
        "log_return": [naive_log_return(candles, row) for row in range(len(candles))],
        "hour_of_day": [moment.hour for moment in opened],
        "day_of_week": [moment.weekday() for moment in opened],
        "log_volume": [math.log(1 + candle["volume"]) for candle in candles],
        "log_trades": [math.log(1 + candle["trades"]) for candle in candles],
        "taker_imbalance": [2 * c["tb_base_av"] / c["volume"] - 1 if c["volume"] else 0.0 for c in candles],
    }
    for hours in (1, 24, 168):
        expected[f"range_{hours}h"] = [naive_range(candles, row, hours) for row in range(len(candles))]
        expected[f"volatility_{hours}h"] = [naive_volatility(candles, row, hours) for row in range(len(candles))]

    found = compute_features("returns", klines)

    assert set(expected) == set(found.columns)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-12, atol=1e-12, err_msg=name)


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

    pd.testing.assert_frame_equal(
        features.reset_index(drop=True), row_by_row(klines), check_dtype=False, check_exact=True
    )


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
