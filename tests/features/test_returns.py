import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from make_us_rich.features.feature_set import FEATURE_SETS, compute_features

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


def naive_imbalance(candle: dict[str, float]) -> float:
    return 2 * candle["tb_base_av"] / candle["volume"] - 1 if candle["volume"] else 0.0


def test_log_return_equals_its_naive_twin(klines: pd.DataFrame, candles: list[dict[str, float]]) -> None:
    expected = [naive_log_return(candles, row) for row in range(len(candles))]

    np.testing.assert_allclose(compute_features("returns", klines)["log_return"], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("hours", [1, 24, 168])
def test_range_equals_its_naive_twin(klines: pd.DataFrame, candles: list[dict[str, float]], hours: int) -> None:
    expected = [naive_range(candles, row, hours) for row in range(len(candles))]

    np.testing.assert_allclose(compute_features("returns", klines)[f"range_{hours}h"], expected, rtol=1e-12)


@pytest.mark.parametrize("hours", [1, 24, 168])
def test_volatility_equals_its_naive_twin(klines: pd.DataFrame, candles: list[dict[str, float]], hours: int) -> None:
    expected = [naive_volatility(candles, row, hours) for row in range(len(candles))]

    np.testing.assert_allclose(compute_features("returns", klines)[f"volatility_{hours}h"], expected, rtol=1e-12)


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


def test_an_hour_without_a_trade_has_no_imbalance_and_no_volume(make_klines: MakeKlines) -> None:
    klines = make_klines(3).assign(volume=0.0, tb_base_av=0.0, trades=0)

    features = compute_features("returns", klines)

    assert (features[["log_volume", "log_trades", "taker_imbalance"]] == 0).all(axis=None)


def test_volatility_of_a_constant_return_is_that_return(make_klines: MakeKlines) -> None:
    klines = make_klines(200).assign(close=100 * 1.01 ** np.arange(200.0))

    features = compute_features("returns", klines)

    assert features["volatility_168h"].iloc[-1] == pytest.approx(math.log(1.01), rel=1e-12)


def test_warm_up_is_the_number_of_rows_of_a_run_that_are_not_complete(make_klines: MakeKlines) -> None:
    warmup = FEATURE_SETS["returns"].warmup
    features = compute_features("returns", make_klines(2 * warmup + 20, gaps=[warmup + 10]))

    complete = features.notna().all(axis=1).to_numpy()

    expected = [False] * warmup + [True] * 10 + [False] * warmup + [True] * 10
    assert complete.tolist() == expected
