"""What a request sees at a moment: windows, paging, and nothing of the future."""

import json
from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from make_us_rich.replay import FolderMarket
from make_us_rich.replay.intervals import bucket
from make_us_rich.replay.series import Series
from make_us_rich.replay.view import Moment, Window, candles

HOUR_MS = 3_600_000
START = 1_709_078_400_000
LATER = 10**13


def series_of(opens, closes=None):
    closes = closes or [opened + HOUR_MS - 1 for opened in opens]
    rows = [
        json.dumps(
            [opened, f"{at}.1", f"{at}.9", f"{at}.0", f"{at}.2", "1.5", closed, "2.5", 3, "0.5", "0.25", "0"]
        ).encode()
        for at, (opened, closed) in enumerate(zip(opens, closes, strict=True), start=1)
    ]
    return Series(HOUR_MS, opens, rows)


def opens_of(rows):
    return [json.loads(row)[0] for row in rows]


def hours(*numbers):
    return [START + number * HOUR_MS for number in numbers]


def ask(series, now, start=None, end=None, limit=1000, interval="1h", unclosed=True):
    return candles(series, interval, Window(start, end, limit), Moment(now, unclosed))


def test_without_start_the_last_candles_are_sent_oldest_first():
    assert opens_of(ask(series_of(hours(*range(10))), LATER, limit=3)) == hours(7, 8, 9)


def test_end_alone_sends_the_last_candles_up_to_it():
    found = ask(series_of(hours(*range(10))), LATER, end=START + 5 * HOUR_MS + 7, limit=2)
    assert opens_of(found) == hours(4, 5)


def test_start_sends_the_first_candles_from_it_on():
    found = ask(series_of(hours(*range(10))), LATER, start=START + 2 * HOUR_MS + 1, limit=2)
    assert opens_of(found) == hours(3, 4)


def test_start_and_end_are_inclusive_on_the_open_time():
    found = ask(series_of(hours(*range(10))), LATER, start=hours(2)[0], end=hours(4)[0])
    assert opens_of(found) == hours(2, 3, 4)


@pytest.mark.parametrize("interval", ["1h", "4h", "1M"])
def test_start_after_end_is_empty(interval):
    series = series_of(hours(*range(10)))
    assert ask(series, LATER, start=hours(5)[0], end=hours(2)[0], interval=interval) == []


@pytest.mark.parametrize("interval", ["1h", "1d", "1w", "1M"])
def test_times_beyond_any_calendar_are_no_error(interval):
    series = series_of(hours(*range(10)))
    assert ask(series, LATER, start=2**62, end=2**63 - 1, interval=interval) == []
    assert ask(series, LATER, end=2**63 - 1, interval=interval)


def test_open_candle_shows_its_open_price_alone():
    found = ask(series_of(hours(0, 1)), hours(1)[0] + 1000)
    assert json.loads(found[-1]) == [
        *(hours(1)[0], "2.1", "2.1", "2.1", "2.1", "0.00000000"),
        *(hours(2)[0] - 1, "0.00000000", 0, "0.00000000", "0.00000000", "0"),
    ]


def test_candle_is_whole_once_its_close_time_has_passed():
    series = series_of(hours(0))
    assert json.loads(ask(series, hours(1)[0] - 1)[-1])[4] == "1.1"
    assert json.loads(ask(series, hours(1)[0])[-1])[4] == "1.2"


def test_candle_that_the_exchange_cut_short_is_whole_when_it_was_cut():
    series = series_of(hours(0), closes=[START + 1000])
    assert json.loads(ask(series, START + 1000)[-1])[4] == "1.1"
    assert json.loads(ask(series, START + 1001)[-1])[4] == "1.2"


@pytest.mark.parametrize("dirty", [START - 5, START, START + 50 * HOUR_MS])
def test_senseless_close_time_does_not_show_the_future_nor_hide_the_past(dirty):
    series = series_of(hours(0), closes=[dirty])
    assert json.loads(ask(series, START + 1000)[-1])[4] == "1.1"
    assert json.loads(ask(series, hours(1)[0])[-1])[4] == "1.2"


@pytest.mark.parametrize("interval", ["1h", "2h"])
def test_unclosed_candle_can_be_left_out_and_the_limit_is_still_filled(interval):
    series = series_of(hours(*range(11)))
    found = ask(series, hours(10)[0] + 1, limit=2, interval=interval, unclosed=False)
    assert len(found) == 2
    assert all(json.loads(row)[6] < hours(10)[0] + 1 for row in found)


def test_open_longer_candle_is_made_of_what_has_closed_and_the_open_price_of_the_hour():
    found = json.loads(ask(series_of(hours(0, 1, 2, 3)), hours(2)[0] + 5, interval="4h")[-1])
    assert found[:5] == [START, "1.1", "3.1", "1.0", "3.1"]
    assert (float(found[5]), found[6], found[8]) == (3.0, hours(4)[0] - 1, 6)


def test_longer_candle_is_not_kept_before_it_is_complete():
    series = series_of(hours(0, 1))
    before = ask(series, hours(1)[0], interval="2h")
    after = ask(series, hours(2)[0], interval="2h")
    assert (json.loads(before[0])[8], json.loads(after[0])[8]) == (3, 6)


@given(
    gaps=st.lists(st.integers(1, 5), min_size=1, max_size=60),
    limit=st.integers(1, 20),
    interval=st.sampled_from(["1h", "2h", "4h", "12h", "1d", "3d", "1w", "1M"]),
    now=st.integers(0, 300),
)
def test_paging_by_any_limit_returns_each_candle_once(gaps, limit, interval, now):
    opens = hours(*[sum(gaps[:at]) for at in range(len(gaps))])
    series, moment = series_of(opens), START + now * HOUR_MS + 1
    pages, start = [], 0
    while page := ask(series, moment, start=start, limit=limit, interval=interval):
        pages += opens_of(page)
        start = pages[-1] + 1
    assert pages == sorted({bucket(interval, opened)[0] for opened in opens if opened <= moment})


@given(
    gaps=st.lists(st.integers(1, 5), min_size=1, max_size=60),
    limit=st.integers(1, 20),
    interval=st.sampled_from(["1h", "6h", "1d", "1w"]),
)
def test_paging_backwards_returns_each_candle_once(gaps, limit, interval):
    opens = hours(*[sum(gaps[:at]) for at in range(len(gaps))])
    series, end = series_of(opens), LATER
    pages = []
    while page := ask(series, LATER, end=end, limit=limit, interval=interval):
        pages = opens_of(page) + pages
        end = pages[0] - 1
    assert pages == sorted({bucket(interval, opened)[0] for opened in opens})


@settings(deadline=None, max_examples=50)
@given(
    at=st.integers(0, 28_671),
    later=st.integers(0, 2 * HOUR_MS),
    interval=st.sampled_from(["1h", "4h", "1d", "1w", "1M"]),
)
def test_irregular_history_shows_nothing_of_the_future(irregular, at, later, interval):
    """The answer is the same when everything that happens later is cut away or made extreme."""
    now = irregular.opens[at] + later
    blind = without_future(irregular, now)
    assert ask(irregular, now, limit=2, interval=interval) == ask(blind, now, limit=2, interval=interval)


def without_future(series, now):
    """The last 1,600 candles (two months); later opens are gone, later closes extreme."""
    count = bisect_left(series.opens, now + 1)
    rows = [json.loads(row) for row in series.rows[max(0, count - 1600) : count]]
    for row in rows[-3:]:
        if min(row[6], row[0] + HOUR_MS - 1) >= now:
            row[2:6] = ["999999", "0.01", "777", "555"]
            row[7:11] = ["1", 1, "1", "1"]
    texts = [json.dumps(row, separators=(",", ":")).encode() for row in rows]
    return Series(series.step, [row[0] for row in rows], texts)


@pytest.fixture(scope="module")
def irregular(market_data):
    return FolderMarket(market_data / "irregular").series("BTCUSDT", LATER)
