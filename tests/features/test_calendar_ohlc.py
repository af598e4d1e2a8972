from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.klines import KLINE_COLUMNS, KLINE_DTYPES
from make_us_rich.features.feature_set import FEATURE_SETS, compute_features

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
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def read_klines(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path).set_axis(list(KLINE_COLUMNS), axis=1)
    times = {column: pd.to_datetime(frame[column], unit="ms", utc=True) for column in ("timestamp", "close_time")}
    return frame.assign(**times).astype(KLINE_DTYPES)


def test_columns_are_in_the_original_order() -> None:
    assert list(FEATURE_SETS["calendar_ohlc"].columns) == COLUMNS


def test_equals_row_by_row_over_the_turn_of_a_year(make_klines: Callable[..., pd.DataFrame]) -> None:
    klines = make_klines(600, start="2020-12-20", gaps=[40, 41])

    features = compute_features("calendar_ohlc", klines)

    np.testing.assert_array_equal(features.to_numpy(), row_by_row(klines)[COLUMNS].to_numpy())


@pytest.mark.parametrize("file", ["CHZUSDT-1h.csv.gz", "irregular/BTCUSDT-1h-2017-2020.csv.gz"])
def test_equals_row_by_row_on_real_candles(market_data: Path, file: str) -> None:
    klines = read_klines(market_data / file).iloc[::3]

    features = compute_features("calendar_ohlc", klines)

    np.testing.assert_array_equal(features.to_numpy(), row_by_row(klines)[COLUMNS].to_numpy())


def test_iso_week_of_the_first_of_january_2021_is_53(make_klines: Callable[..., pd.DataFrame]) -> None:
    features = compute_features("calendar_ohlc", make_klines(1, start="2021-01-01"))

    assert features.iloc[0][["day_of_week", "day_of_month", "week_of_year", "month_of_year"]].tolist() == [
        4,
        1,
        53,
        1,
    ]
