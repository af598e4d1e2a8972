"""Each kind of bad candle: found, counted, and removed or kept as docs/fetching.md says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.candles.checks import check_candles
from make_us_rich.candles.frame import empty_klines, merge_klines, to_klines
from make_us_rich.candles.verdict import Limits
from make_us_rich.domain.klines import KLINE_DTYPES
from make_us_rich.domain.pair import Pair

PAIR = Pair("btc", "usdt")
START = datetime(2025, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIMITS = Limits(recent_days=2, max_missing_share=0.05, frozen_hours=3, enough_candles=10)
REMOVING = (
    "not_a_number",
    "still_open",
    "duplicate",
    "off_grid",
    "non_positive",
    "inconsistent",
    "frozen",
)


def check(frame, now=None, **limits):
    now = now or frame["timestamp"].max().to_pydatetime() + HOUR
    return check_candles(frame, PAIR, now, LIMITS.model_copy(update=limits))


def counts(report):
    return {name: issue["count"] for name, issue in report.issues.model_dump().items() if issue["count"]}


def changed(frame, row, **values):
    frame = frame.copy()
    for name, value in values.items():
        frame.loc[row, name] = value
    return frame


def test_sound_candles_pass_unchanged(hours):
    clean, report = check(hours(48))
    pd.testing.assert_frame_equal(clean, hours(48))
    assert counts(report) == {}
    assert (report.rows_in, report.rows_out, report.dropped, report.hours) == (48, 48, 0, 48)
    assert (report.first, report.last) == (START, START + 47 * HOUR)
    assert report.fresh
    assert report.whole
    assert report.reasons == ()


def test_input_is_not_changed(hours):
    frame = changed(hours(48), 5, close=-1.0)
    kept = frame.copy(deep=True)
    check(frame)
    pd.testing.assert_frame_equal(frame, kept)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("not_a_number", {"close": np.nan}),
        ("not_a_number", {"high": np.inf}),
        ("not_a_number", {"volume": np.nan}),
        ("not_a_number", {"close_time": pd.NaT}),
        ("non_positive", {"low": 0.0}),
        ("non_positive", {"open": -1.0}),
        ("non_positive", {"volume": -1.0}),
        ("inconsistent", {"high": 97.0, "low": 99.0}),
        ("inconsistent", {"close": 1000.0}),
        ("inconsistent", {"open": 1.0}),
    ],
)
def test_bad_candle_is_removed_counted_and_leaves_a_gap(hours, kind, values):
    clean, report = check(changed(hours(48), 20, **values))
    assert counts(report) == {kind: 1}
    assert getattr(report.issues, kind).examples == (START + 20 * HOUR,)
    assert len(clean) == report.rows_out == 47
    assert [(gap.start, gap.end, gap.hours, gap.missing) for gap in report.gaps] == [
        (START + 20 * HOUR, START + 21 * HOUR, 1, 0)
    ]
    assert (report.gap_hours, report.missing_hours) == (1, 0)


def test_candle_without_a_time_is_removed(hours):
    clean, report = check(changed(hours(48), 47, timestamp=pd.NaT))
    assert counts(report) == {"not_a_number": 1}
    assert report.issues.not_a_number.examples == ()
    assert len(clean) == 47


def test_candle_that_is_still_open_is_removed(hours):
    clean, report = check(hours(48), now=START + 47.5 * HOUR)
    assert counts(report) == {"still_open": 1}
    assert clean["timestamp"].iloc[-1] == START + 46 * HOUR
    assert report.fresh


def test_candle_is_closed_at_the_full_hour(hours):
    assert counts(check(hours(48), now=START + 48 * HOUR)[1]) == {}
    assert counts(check(hours(48), now=START + 48 * HOUR - timedelta(milliseconds=1))[1]) == {"still_open": 1}


def test_duplicate_is_removed_and_the_later_one_wins(hours):
    frame = pd.concat([hours(48), changed(hours(48), 20, close=106.5).iloc[[20]]], ignore_index=True)
    clean, report = check(frame)
    assert counts(report) == {"duplicate": 1}
    assert clean["close"][20] == 106.5
    assert len(clean) == 48


def test_candle_off_the_grid_is_removed_and_never_shifted(hours):
    opened = START + 20 * HOUR + timedelta(minutes=10)
    frame = changed(hours(48), 20, timestamp=opened, close_time=opened + HOUR - timedelta(milliseconds=1))
    clean, report = check(frame)
    assert counts(report) == {"off_grid": 1}
    assert report.issues.off_grid.examples == (opened,)
    assert START + 20 * HOUR not in set(clean["timestamp"])
    # Something was sent for that hour, so that it is not missing, though unusable.
    assert (report.gap_hours, report.missing_hours) == (1, 0)


def test_odd_close_time_is_counted_and_kept_as_it_is(hours):
    closed = START + 20 * HOUR + timedelta(minutes=29)
    frame = changed(hours(48), 20, close_time=closed)
    clean, report = check(frame)
    assert counts(report) == {"odd_close": 1}
    pd.testing.assert_frame_equal(clean, frame)


def idle(frame, rows):
    return changed(frame, rows, open=100.0, high=100.0, low=100.0, close=100.0, volume=0.0)


@pytest.mark.parametrize("length", [1, 2])
def test_few_hours_without_a_trade_are_counted_and_kept(hours, length):
    frame = idle(hours(48), list(range(20, 20 + length)))
    clean, report = check(frame)
    assert counts(report) == {"no_trade": length}
    pd.testing.assert_frame_equal(clean, frame)


def test_frozen_feed_becomes_a_gap(hours):
    clean, report = check(idle(hours(48), [20, 21, 22]))
    assert counts(report) == {"frozen": 3}
    assert [(gap.start, gap.hours, gap.missing) for gap in report.gaps] == [(START + 20 * HOUR, 3, 0)]
    assert len(clean) == 45


def test_equal_prices_with_volume_are_not_frozen(hours):
    frame = changed(idle(hours(48), [20, 21, 22]), [20, 21, 22], volume=0.01)
    assert counts(check(frame)[1]) == {}


def test_idle_hours_at_different_prices_are_not_frozen(hours):
    frame = changed(hours(48), [20, 21, 22], volume=0.0)
    assert counts(check(frame)[1]) == {"no_trade": 3}


def test_idle_hours_that_are_not_consecutive_are_not_frozen(hours):
    frame = idle(hours(48), [20, 21, 23]).drop(22)
    assert counts(check(frame)[1]) == {"no_trade": 3}


def test_shortest_frozen_feed_is_a_parameter(hours):
    assert counts(check(idle(hours(48), [20, 21, 22]), frozen_hours=4)[1]) == {"no_trade": 3}


def test_gap_names_start_end_and_hours(hours):
    _, report = check(hours(48).drop([4, 5, 6]))
    assert [str(gap) for gap in report.gaps] == ["3 candles missing between 2025-03-01 04:00 and 07:00 UTC"]
    assert (report.missing_hours, report.gap_hours, report.missing_share) == (3, 3, 3 / 48)


def test_gap_past_midnight_names_both_days(hours):
    _, report = check(hours(48).drop(23))
    assert str(report.gaps[0]) == "1 candle missing between 2025-03-01 23:00 and 2025-03-02 00:00 UTC"


def test_examples_are_the_first_five(hours):
    _, report = check(changed(hours(48), list(range(10, 20)), low=-1.0))
    assert report.issues.non_positive.count == 10
    assert report.issues.non_positive.examples == tuple(START + hour * HOUR for hour in range(10, 15))


def test_stale_candles_are_not_whole(hours):
    _, report = check(hours(48), now=START + 50.2 * HOUR)
    assert not report.fresh
    assert not report.whole
    assert report.reasons == (
        "BTC_USDT: not fresh: the newest candle opened at 2025-03-02 23:00 UTC, 2 h before the last closed"
        " one (2025-03-03 01:00 UTC); run the fetching pipeline again",
    )


def test_gap_of_late_is_a_reason(hours):
    _, report = check(hours(480).drop([460, 461]))
    assert not report.whole
    assert report.reasons == (
        "BTC_USDT: 2 candles missing between 2025-03-20 04:00 and 06:00 UTC, within the last 2 days that a"
        " forecast needs; run the fetching pipeline again, or wait until it has passed",
    )


def test_older_gap_is_no_reason(hours):
    _, report = check(hours(480).drop([400, 401]))
    assert len(report.gaps) == 1
    assert report.whole


def test_many_gaps_of_late_are_summed_up(hours):
    _, report = check(hours(480).drop(list(range(440, 470, 3))), max_missing_share=1.0)
    assert len(report.reasons) == 4
    assert report.reasons[-1].startswith("BTC_USDT: 7 more gaps within the last 2 days")


def test_share_of_missing_hours_is_a_reason(hours):
    _, report = check(hours(480).drop(list(range(100, 148))))
    assert report.reasons == (
        "BTC_USDT: 48 of 480 hours (10.0%) have no usable candle, more than `fetching.max_missing_share` allows (5.0%)",
    )


def test_too_few_candles_are_a_reason(hours):
    _, report = check(hours(9))
    assert not report.whole
    assert "BTC_USDT: 9 usable candles, 10 are needed (`fetching.enough_candles`)" in report.reasons[0]


def test_no_candle_at_all_is_reported():
    clean, report = check_candles(empty_klines(), PAIR, START, LIMITS)
    assert clean.empty
    assert {name: str(dtype) for name, dtype in clean.dtypes.items()} == KLINE_DTYPES
    assert (report.first, report.last, report.hours, report.missing_share) == (None, None, 0, 0.0)
    assert not report.whole
    assert report.summary == "BTC_USDT: no usable candle of 0"


def test_summary_is_one_line(hours):
    _, report = check(hours(48).drop([4, 5]))
    assert report.summary == (
        "BTC_USDT: 46 candles from 2025-03-01 00:00 to 2025-03-02 23:00 UTC, 0 removed, 1 gaps of 2 h; fresh, not whole"
    )


@pytest.fixture(scope="module")
def irregular(market_data):
    path = market_data / "irregular" / "BTCUSDT-1h-2017-2020.csv.gz"
    return to_klines(pd.read_csv(path, dtype=str).to_numpy().tolist(), "BTCUSDT")


def test_irregular_history_is_reported_exactly(irregular):
    clean, report = check(irregular)
    assert counts(report) == {"off_grid": 43, "odd_close": 9, "no_trade": 1}
    assert (len(report.gaps), report.missing_hours) == (18, 108)
    assert report.gap_hours == 108 + 43
    assert (report.rows_in, report.rows_out) == (28_672, 28_672 - 43) == (28_672, len(clean))


def test_real_year_without_a_fault_is_whole(market_data):
    rows = pd.read_csv(market_data / "CHZUSDT-1h.csv.gz", dtype=str).to_numpy().tolist()
    _, report = check(to_klines(rows, "CHZUSDT"))
    assert (report.rows_out, report.gaps, report.whole) == (9_457, (), True)


@st.composite
def spoilt_candles(draw: st.DrawFn) -> list[list[Any]]:
    """Rows in any order: some twice, shifted, idle, broken or missing."""
    rows = []
    for hour in draw(st.lists(st.integers(0, 60), max_size=80)):
        opened = 1_740_787_200_000 + hour * 3_600_000 + draw(st.sampled_from([0, 0, 0, 600_000]))
        prices = draw(st.sampled_from(["100 102 98 101", "100 100 100 100", "100 98 102 101", "0 1 0 1", "nan 1 1 1"]))
        volume = draw(st.sampled_from(["0", "0", "5"]))
        rows.append([opened, *prices.split(), volume, opened + 3_599_999, "1", 1, "1", "1", "0"])
    return rows


@given(spoilt_candles(), st.integers(0, 70))
def test_what_is_left_is_clean_and_every_candle_is_accounted_for(rows, hour):
    now = START + (hour + 0.5) * HOUR
    clean, report = check_candles(to_klines(rows, "BTCUSDT"), PAIR, now, LIMITS)
    steps = clean["timestamp"].diff().dropna()
    assert (steps >= HOUR).all()
    assert (clean["timestamp"].dt.floor("h") == clean["timestamp"]).all()
    assert (clean["timestamp"] + HOUR <= now).all()
    prices = clean[["open", "high", "low", "close"]]
    assert prices.gt(0).all(axis=None)
    assert (clean["high"] == prices.max(axis=1)).all()
    assert (clean["low"] == prices.min(axis=1)).all()
    removed = sum(getattr(report.issues, kind).count for kind in REMOVING)
    assert report.rows_in == len(rows) == report.rows_out + report.dropped == len(clean) + removed
    assert report.hours == len(clean) + report.gap_hours


@given(spoilt_candles())
def test_checking_clean_candles_again_finds_nothing_to_remove(rows):
    now = START + 100 * HOUR
    clean, report = check_candles(to_klines(rows, "BTCUSDT"), PAIR, now, LIMITS)
    again, second = check_candles(clean, PAIR, now, LIMITS)
    assert second.dropped == 0
    assert second.gap_hours == report.gap_hours
    pd.testing.assert_frame_equal(again, clean)


def test_nothing_is_invented(irregular):
    clean, _ = check(irregular)
    pd.testing.assert_frame_equal(merge_klines(irregular, clean), irregular)
