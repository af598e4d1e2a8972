import pandas as pd
import pytest

from make_us_rich.candles.frame import empty_klines, merge_klines, to_klines
from make_us_rich.domain.errors import DataError
from make_us_rich.domain.klines import KLINE_DTYPES

ROW = [
    1499040000000,
    "0.01634790",
    "0.80000000",
    "0.01575800",
    "0.01577100",
    "148976.11427815",
    1499644799999,
    "2434.19055334",
    308,
    "1756.87402397",
    "28.46694368",
    "17928899.62484339",
]
"""The example of Binance's documentation of `GET /api/v3/klines`."""


def dtypes(frame):
    return {name: str(dtype) for name, dtype in frame.dtypes.items()}


def test_columns_and_dtypes_are_the_schema():
    assert dtypes(to_klines([ROW], "ETHBTC")) == KLINE_DTYPES


def test_empty_frame_has_the_schema():
    assert dtypes(empty_klines()) == KLINE_DTYPES


def test_no_rows_make_an_empty_frame_of_the_schema():
    frame = to_klines([], "ETHBTC")
    assert frame.empty
    assert dtypes(frame) == KLINE_DTYPES


def test_values_are_what_the_exchange_sent():
    first = to_klines([ROW], "ETHBTC").iloc[0]
    assert first["timestamp"] == pd.Timestamp("2017-07-03 00:00", tz="UTC")
    assert first["close_time"] == pd.Timestamp("2017-07-09 23:59:59.999", tz="UTC")
    assert (first["open"], first["high"], first["low"], first["close"]) == (
        0.0163479,
        0.8,
        0.015758,
        0.015771,
    )
    assert (first["volume"], first["quote_av"], first["trades"]) == (148976.11427815, 2434.19055334, 308)
    assert (first["tb_base_av"], first["tb_quote_av"]) == (1756.87402397, 28.46694368)
    assert first["ignore"] == 17928899.62484339


def test_short_row_is_named():
    with pytest.raises(DataError, match=r"ETHBTC: row 1 .* no candle: 5 fields instead of 12 fields; run"):
        to_klines([ROW, ROW[:5]], "ETHBTC")


def test_row_that_is_no_list_is_named():
    with pytest.raises(DataError, match=r"ETHBTC: row 0 .* no candle: 'abcdefghijkl' instead of 12 fields"):
        to_klines(["abcdefghijkl"], "ETHBTC")


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (4, "abc", "`close` is 'abc'"),
        (0, "soon", "`timestamp` is 'soon'"),
        (8, None, "`trades` is 'None'"),
        (5, {}, "`volume` is '{}'"),
        (6, 10**30, "`close_time` is '10+'"),
        (1, ["1"], r"`open` is \"\['1'\]\""),
    ],
)
def test_text_that_is_no_number_is_named(place, value, named):
    bad = [*ROW[:place], value, *ROW[place + 1 :]]
    with pytest.raises(DataError, match=f"ETHBTC: row 1 .*{named}, not a number; run the fetching"):
        to_klines([ROW, bad], "ETHBTC")


def test_merge_keeps_the_later_answer(hours):
    old, new = hours(3), hours(3).tail(1).assign(close=7.0)
    merged = merge_klines(old, new)
    assert merged["close"].tolist() == [*old["close"].tolist()[:2], 7.0]


def test_merge_sorts_and_keeps_each_open_time_once(hours):
    frame = hours(10)
    merged = merge_klines(frame.iloc[5:], frame.iloc[:7], frame.iloc[2:3])
    pd.testing.assert_frame_equal(merged, frame)


def test_merge_of_nothing_has_the_schema():
    assert dtypes(merge_klines()) == KLINE_DTYPES
    assert dtypes(merge_klines(empty_klines(), empty_klines())) == KLINE_DTYPES


def test_merge_changes_none_of_its_inputs(hours):
    old, new = hours(3), hours(4)
    kept = old.copy(deep=True), new.copy(deep=True)
    merge_klines(old, new)
    pd.testing.assert_frame_equal(old, kept[0])
    pd.testing.assert_frame_equal(new, kept[1])
