"""What a request sees at a moment: windows, paging, longer candles, and nothing of the future."""

import json
from bisect import bisect_left
from datetime import UTC, date, datetime
from fractions import Fraction
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from make_us_rich.replay import FolderMarket
from make_us_rich.replay.series import KlinesQuery, Series, bucket, select_candles

HOUR_MS = 3_600_000
START = 1_709_078_400_000
LATER = 10**13


def series_of(opens, closes=None):
    rows = []
    for at, opened in enumerate(opens):
        closed = closes[at] if closes else opened + HOUR_MS - 1
        prices = [f"{at + 1}.{digit}" for digit in (1, 9, 0, 2)]
        rows.append(json.dumps([opened, *prices, "1.5", closed, "2.5", 3, "0.5", "0.25", "0"]).encode())
    return Series(HOUR_MS, opens, rows)


def opens_of(rows):
    return [json.loads(row)[0] for row in rows]


def hours(*numbers):
    return [START + number * HOUR_MS for number in numbers]


def ask(series, now, start=None, end=None, limit=1000, interval="1h"):
    return select_candles(series, KlinesQuery("AAAUSDT", interval, start, end, limit), now)


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


@pytest.mark.parametrize(
    ("closed", "now", "price"),
    [
        (START + 1000, START + 1000, "1.1"),
        (START + 1000, START + 1001, "1.2"),
        *((dirty, START + 1000, "1.1") for dirty in (START - 5, START, START + 50 * HOUR_MS)),
        *((dirty, START + HOUR_MS, "1.2") for dirty in (START - 5, START, START + 50 * HOUR_MS)),
    ],
)
def test_candle_is_whole_when_its_hour_is_over_or_the_exchange_cut_it_short(closed, now, price):
    assert json.loads(ask(series_of(hours(0), closes=[closed]), now)[-1])[4] == price


@given(
    gaps=st.lists(st.integers(1, 5), min_size=1, max_size=60),
    limit=st.integers(1, 20),
    interval=st.sampled_from(["1h", "2h", "4h", "12h", "1d", "3d", "1w", "1M"]),
    now=st.integers(0, 300),
)
def test_paging_by_any_limit_returns_each_candle_once(gaps, limit, interval, now):
    opens = hours(*[sum(gaps[:at]) for at in range(len(gaps))])
    series, moment = series_of(opens), START + now * HOUR_MS + 1
    forwards, backwards, start, end = [], [], 0, LATER
    while page := ask(series, moment, start=start, limit=limit, interval=interval):
        forwards += opens_of(page)
        start = forwards[-1] + 1
    while page := ask(series, moment, end=end, limit=limit, interval=interval):
        backwards = opens_of(page) + backwards
        end = backwards[0] - 1
    assert forwards == sorted({bucket(interval, opened)[0] for opened in opens if opened <= moment})
    assert backwards == forwards


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


def independent_bucket(row, interval):
    """The calendar's interval that a candle lies in."""
    at = datetime.fromtimestamp(row[0] / 1000, UTC)
    if interval == "1M":
        return at.year, at.month
    if interval == "1w":
        return at.isocalendar()[:2]
    if interval.endswith("d"):
        return (at.date() - date(1970, 1, 1)).days // int(interval[:-1])
    return at.date(), at.hour // int(interval[:-1])


@pytest.mark.parametrize("interval", ["2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"])
def test_longer_candles_equal_an_independent_computation(irregular, interval):
    rows = [json.loads(row) for row in irregular.rows[:1500]]
    found = [json.loads(row) for row in ask(irregular, LATER, start=0, end=rows[-1][0], interval=interval)]
    groups = [list(group) for _, group in groupby(rows, key=lambda row: independent_bucket(row, interval))]
    assert len(found) == len(groups)
    # The last one goes on past the 1,500 hours.
    for candle, group in zip(found[:-1], groups, strict=False):
        assert (candle[1], candle[4]) == (group[0][1], group[-1][4])
        assert Fraction(candle[2]) == max(Fraction(row[2]) for row in group)
        assert Fraction(candle[3]) == min(Fraction(row[3]) for row in group)
        for column in (5, 7, 8, 9, 10):
            assert Fraction(candle[column]) == sum(Fraction(row[column]) for row in group)
