"""Rows as a typed frame; what a fetch requests, and what the exchange may have changed since the last one."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from make_us_rich.domain.errors import DataError
from make_us_rich.klines.frame import empty_klines, merge_klines, to_klines
from make_us_rich.klines.incremental import annotate, find_corrections, missing_spans

START = datetime(2025, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK = 7 * 24
ROW = [
    *(1499040000000, "0.01634790", "0.80000000", "0.01575800", "0.01577100", "148976.11427815", 1499644799999),
    *("2434.19055334", 308, "1756.87402397", "28.46694368", "17928899.62484339"),
]
"""The example of Binance's documentation of `GET /api/v3/klines`."""


def test_values_are_what_the_exchange_sent():
    first = to_klines([ROW], "ETHBTC").iloc[0]
    assert first["timestamp"] == pd.Timestamp("2017-07-03 00:00", tz="UTC")
    assert first["close_time"] == pd.Timestamp("2017-07-09 23:59:59.999", tz="UTC")
    assert (first["open"], first["high"], first["low"], first["close"]) == (0.0163479, 0.8, 0.015758, 0.015771)
    assert (first["volume"], first["quote_av"], first["trades"]) == (148976.11427815, 2434.19055334, 308)
    assert (first["tb_base_av"], first["tb_quote_av"]) == (1756.87402397, 28.46694368)
    assert first["ignore"] == 17928899.62484339


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


def test_merge_sorts_and_keeps_each_open_time_once(hours):
    frame = hours(10)
    merged = merge_klines(frame.iloc[5:], frame.iloc[:7], frame.iloc[2:3])
    pd.testing.assert_frame_equal(merged, frame)


def at(hour):
    return START + hour * HOUR


@pytest.mark.parametrize(
    ("rows", "start", "end", "spans"),
    [
        (range(0), 0, 100, [(0, 100)]),
        (range(100), 0, 100, []),
        (range(100), 10, 90, []),
        (range(100), 0, 101, [(76, 101)]),
        (range(100), 0, 5100, [(76, 5100)]),
        (range(10), 0, 11, [(0, 11)]),
        (range(100), -50, 100, [(-50, 0)]),
        (range(100), -50, 102, [(-50, 0), (76, 102)]),
        ({*range(400)} - {350, 351}, 0, 401, [(326, 401)]),
        ({*range(400)} - {400 - WEEK - 1}, 0, 400, []),
        ({*range(400)} - {400 - WEEK}, 0, 400, [(400 - WEEK - 24, 400)]),
    ],
)
def test_only_what_is_missing_is_asked_for(hours, rows, start, end, spans):
    stored = hours(400).iloc[sorted(rows)]
    assert missing_spans(stored, at(start), at(end)) == [(at(first), at(last)) for first, last in spans]


def test_recent_unusable_candle_is_asked_for_again(hours):
    stored = hours(400)
    stored.loc[390, "close"] = float("nan")
    assert missing_spans(stored, at(0), at(400)) == [(at(366), at(400))]


def test_earlier_candles_are_asked_for_once_and_a_longer_history_from_there_on(hours, tmp_path):
    annotate(hours(100), empty_klines(), at(-50), simulated=False).to_parquet(tmp_path / "klines.parquet")
    stored = pd.read_parquet(tmp_path / "klines.parquet")
    assert missing_spans(stored, at(-50), at(100)) == []
    assert missing_spans(stored, at(-80), at(100)) == [(at(-80), at(-50))]
    assert missing_spans(annotate(hours(101), stored, at(-49), simulated=False), at(-50), at(101)) == []


def test_corrected_candles_are_found_however_large_the_correction(hours):
    fetched = hours(48)
    fetched.loc[47, "close"] *= 1.002
    fetched.loc[46, "high"] *= 1.5
    fetched.loc[20, "volume"] += 1e-6
    assert find_corrections(hours(47), fetched, "btc_usdt") == (at(20), at(46))
    assert find_corrections(hours(48), fetched, "btc_usdt") == (at(20), at(46), at(47))


def test_another_market_is_recognised_from_many_candles_or_where_one_is_simulated_and_the_other_real(hours):
    other = hours(48)
    other["close"] *= 1.5
    message = r"another market .*48 of 48 closes differ, such as 101 stored and 151\.5 sent .*; go back to"
    with pytest.raises(DataError, match=message):
        find_corrections(hours(48), other, "btc_usdt")
    stored = annotate(hours(10), empty_klines(), START, simulated=True)
    with pytest.raises(DataError, match=r"another market .*one of them is simulated"):
        find_corrections(stored, hours(48).tail(5), "btc_usdt", simulated=False)
    assert find_corrections(stored, hours(48).tail(5), "btc_usdt", simulated=True) == ()
