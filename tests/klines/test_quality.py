"""Each kind of bad candle, as docs/fetching.md defines it; why candles are not valid, and the remedy by cause."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.domain.klines import KLINE_DTYPES
from make_us_rich.domain.pair import Pair
from make_us_rich.klines.frame import empty_klines, to_klines
from make_us_rich.klines.quality import check_candles
from make_us_rich.klines.rules import FetchInfo, QualityRules

PAIR = Pair("btc", "usdt")
START = datetime(2025, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = QualityRules(recent_days=2, max_missing_share=0.05, frozen_hours=3, min_training_candles=10)
PAUSED = "wait until the exchange resumes its trading"
LONG = {"start": START - 540 * 24 * HOUR, "status": "TRADING"}
REMOVING = ("not_a_number", "still_open", "duplicate", "off_grid", "non_positive", "inconsistent", "frozen")


def check(frame, now=None, *, status=None, start=None, **rules):
    now = now or frame["timestamp"].max().to_pydatetime() + HOUR
    info = FetchInfo(now=now, status=status, start=start)
    return check_candles(frame, PAIR, info, RULES.model_copy(update=rules))


def counts(report):
    return {name: issue["count"] for name, issue in report.issues.model_dump().items() if issue["count"]}


def changed(frame, row, **values):
    frame = frame.copy()
    for name, value in values.items():
        frame.loc[row, name] = value
    return frame


def idle(frame, rows):
    return changed(frame, rows, open=100.0, high=100.0, low=100.0, close=100.0, volume=0.0)


def test_sound_candles_pass_unchanged(hours):
    clean, report = check(hours(48))
    pd.testing.assert_frame_equal(clean, hours(48))
    assert counts(report) == {}
    assert (report.rows_in, report.rows_out, report.dropped, report.hours) == (48, 48, 0, 48)
    assert (report.first, report.last) == (START, START + 47 * HOUR)
    assert (report.fresh, report.valid, report.cause, report.reasons) == (True, True, None, ())


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
    assert [(gap.start, gap.hours, gap.missing) for gap in report.gaps] == [(START + 20 * HOUR, 1, 0)]
    assert (report.gap_hours, report.missing_hours) == (1, 0)


@pytest.mark.parametrize(("before_the_hour", "open_candles"), [(timedelta(0), 0), (timedelta(milliseconds=1), 1)])
def test_candle_is_closed_at_the_full_hour_and_removed_before(hours, before_the_hour, open_candles):
    clean, report = check(hours(48), now=START + 48 * HOUR - before_the_hour)
    assert (report.issues.still_open.count, len(clean), report.fresh) == (open_candles, 48 - open_candles, True)


def test_the_later_duplicate_wins_and_an_odd_close_time_is_counted_and_stays_as_it_is(hours):
    frame = changed(hours(48), 20, close_time=START + 20 * HOUR + timedelta(minutes=29), close=106.5)
    clean, report = check(pd.concat([hours(48).iloc[[20]], frame], ignore_index=True))
    assert counts(report) == {"duplicate": 1, "odd_close": 1}
    pd.testing.assert_frame_equal(clean, frame)


@pytest.mark.parametrize(
    ("rows", "values", "frozen_hours", "expected"),
    [
        ([20], {}, 3, {"no_trade": 1}),
        ([20, 21], {}, 3, {"no_trade": 2}),
        ([20, 21, 22], {}, 3, {"frozen": 3}),
        ([20, 21, 22], {}, 4, {"no_trade": 3}),
        ([20, 21, 22], {"volume": 0.01}, 3, {}),
        ([20, 21, 22], {"open": [100.0, 101.0, 102.0], "high": 103.0}, 3, {"no_trade": 3}),
    ],
    ids=["one", "two", "frozen", "shorter than the parameter", "with volume", "at different prices"],
)
def test_idle_hours_are_counted_and_removed_where_the_feed_is_frozen(hours, rows, values, frozen_hours, expected):
    clean, report = check(changed(idle(hours(48), rows), rows, **values), frozen_hours=frozen_hours)
    assert counts(report) == expected
    assert len(clean) == 48 - expected.get("frozen", 0)


def test_gap_names_start_end_and_hours(hours):
    _, report = check(hours(48).drop([4, 5, 6, 23]))
    assert [str(gap) for gap in report.gaps] == [
        "3 candles missing between 2025-03-01 04:00 and 07:00 UTC",
        "1 candle missing between 2025-03-01 23:00 and 2025-03-02 00:00 UTC",
    ]
    assert (report.missing_hours, report.gap_hours, report.missing_share) == (4, 4, 4 / 48)


def test_no_candle_at_all_is_reported():
    clean, report = check_candles(empty_klines(), PAIR, FetchInfo(now=START), RULES)
    assert clean.empty
    assert {name: str(dtype) for name, dtype in clean.dtypes.items()} == KLINE_DTYPES
    assert (report.first, report.last, report.hours, report.missing_share) == (None, None, 0, 0.0)
    assert (report.valid, report.summary) == (False, "BTC_USDT: no usable candle of 0")


STALE = (
    "BTC_USDT: not fresh: the newest candle opened at 2025-03-20 23:00 UTC, 2 h before the last closed"
    " one (2025-03-21 01:00 UTC); run the fetching pipeline again"
)
RECENT_GAP = (
    "BTC_USDT: 2 candles missing between 2025-03-20 04:00 and 06:00 UTC, within the last 2 days that a"
    " forecast needs; run the fetching pipeline again, or wait until it has passed"
)
TOO_MANY = (
    "BTC_USDT: 48 of 480 hours (10.0%) have no usable candle, more than `fetching.max_missing_share` allows (5.0%)"
)


@pytest.mark.parametrize(
    ("missing", "hour", "reasons"),
    [
        (range(0), 482.2, (STALE,)),
        (range(460, 462), 480, (RECENT_GAP,)),
        (range(400, 402), 480, ()),
        (range(100, 148), 480, (TOO_MANY,)),
    ],
    ids=["stale", "recent gap", "older gap", "too many gaps"],
)
def test_each_reason_why_candles_are_not_valid_is_one_sentence(hours, missing, hour, reasons):
    _, report = check(hours(480).drop(list(missing)), START + hour * HOUR)
    assert (report.reasons, report.valid, report.cause) == (reasons, not reasons, None)
    assert report.fresh == (STALE not in reasons)


@pytest.mark.parametrize(
    ("rows", "hour", "info", "cause", "remedy"),
    [
        (range(9), 9, LONG, "young", "until the pair has traded for 10 hours, until 2025-03-01 10:00 UTC"),
        (range(0), 9, {"status": "PRE_TRADING"}, "young", "wait until the pair has traded for 10 hours"),
        (range(9), 9, {"start": START}, "short_history", "set history_days to 1 or more (it is 0)"),
        (range(40), 232, {"status": "BREAK"}, "delisted", "the exchange has ended its trading (status BREAK)"),
        (range(40), 43, {"status": "BREAK"}, "halted", f"{PAUSED} (status BREAK)"),
        (range(40), 232, {"status": "HALT"}, "halted", f"{PAUSED} (status HALT)"),
        (range(0, 48, 6), 43, LONG, "illiquid", "choose another pair: this one is illiquid"),
    ],
    ids=["young", "not yet trading", "short history", "delisted", "paused", "halted", "illiquid"],
)
def test_too_few_or_stale_candles_have_a_cause_and_its_remedy(hours, rows, hour, info, cause, remedy):
    _, report = check(hours(48).iloc[list(rows)], START + hour * HOUR, **info)
    assert (report.cause, report.valid) == (cause, False)
    assert any(remedy in reason for reason in report.reasons)


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
    clean, report = check_candles(to_klines(rows, "BTCUSDT"), PAIR, FetchInfo(now=now), RULES)
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
