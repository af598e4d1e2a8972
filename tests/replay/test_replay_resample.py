"""Longer candles against a computation of their own: fractions and the calendar, no buckets of ours."""

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import groupby

import pytest

from make_us_rich.replay import FolderMarket
from make_us_rich.replay.intervals import bucket, builds
from make_us_rich.replay.resample import merge
from make_us_rich.replay.view import Moment, Window, candles

LATER = 10**13
HOUR_MS = 3_600_000


def moment_of(ms):
    return datetime.fromtimestamp(ms / 1000, UTC)


CALENDAR = {
    "2h": lambda at: (at.date(), at.hour // 2),
    "4h": lambda at: (at.date(), at.hour // 4),
    "6h": lambda at: (at.date(), at.hour // 6),
    "8h": lambda at: (at.date(), at.hour // 8),
    "12h": lambda at: (at.date(), at.hour // 12),
    "1d": lambda at: at.date(),
    "3d": lambda at: (at.date() - datetime(1970, 1, 1, tzinfo=UTC).date()).days // 3,
    "1w": lambda at: at.isocalendar()[:2],
    "1M": lambda at: (at.year, at.month),
}


def independently(rows, interval):
    for _, group in groupby(rows, key=lambda row: CALENDAR[interval](moment_of(row[0]))):
        members = list(group)
        yield (
            members[0][1],
            max(Fraction(row[2]) for row in members),
            min(Fraction(row[3]) for row in members),
            members[-1][4],
            *(sum(Fraction(row[at]) for row in members) for at in (5, 7, 8, 9, 10)),
        )


def served(row):
    return (
        row[1],
        Fraction(row[2]),
        Fraction(row[3]),
        row[4],
        *(Fraction(row[at]) for at in (5, 7, 8, 9, 10)),
    )


@pytest.mark.parametrize("interval", list(CALENDAR))
@pytest.mark.parametrize(("folder", "symbol"), [(".", "CHZUSDT"), ("irregular", "BTCUSDT")])
def test_longer_candles_equal_an_independent_computation(market_data, interval, folder, symbol):
    series = FolderMarket(market_data / folder).series(symbol, LATER)
    hours = [json.loads(row) for row in series.rows[:1500]]
    end = hours[-1][0]
    found = [json.loads(row) for row in candles(series, interval, Window(0, end, 1000), Moment(LATER))]
    whole = slice(0, -1)  # the last one goes on past the 1,500 hours
    assert [served(row) for row in found[whole]] == list(independently(hours, interval))[: len(found) - 1]


@pytest.mark.parametrize(
    ("interval", "opens", "following"),
    [
        ("1h", "2024-02-29T13:00", "2024-02-29T14:00"),
        ("8h", "2024-02-29T08:00", "2024-02-29T16:00"),
        ("1d", "2024-02-29T00:00", "2024-03-01T00:00"),
        ("3d", "2024-02-29T00:00", "2024-03-03T00:00"),
        ("1w", "2024-02-26T00:00", "2024-03-04T00:00"),
        ("1M", "2024-02-01T00:00", "2024-03-01T00:00"),
    ],
)
def test_candles_open_where_binance_opens_them(interval, opens, following):
    """2024-02-26 is a Monday; 2024-02-29 is 3 x 6,594 days after 1970-01-01."""
    asked = int(datetime(2024, 2, 29, 13, 37, tzinfo=UTC).timestamp() * 1000)
    expected = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (opens, following)]
    assert [moment_of(edge) for edge in bucket(interval, asked)] == expected


def test_december_is_followed_by_january():
    opens, following = bucket("1M", int(datetime(2024, 12, 31, 23, tzinfo=UTC).timestamp() * 1000))
    assert moment_of(following) - moment_of(opens) == timedelta(days=31)
    assert moment_of(following) == datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("step_hours", "interval", "expected"),
    [
        (1, "1h", True),
        (1, "2h", True),
        (1, "30m", False),
        (4, "6h", False),
        (4, "1w", True),
        (72, "1M", False),
    ],
)
def test_only_whole_multiples_can_be_built(step_hours, interval, expected):
    assert builds(step_hours * HOUR_MS, interval) is expected


def test_sums_are_exact_where_floats_are_not():
    row = b'[0,"1","1","1","1","%b",1,"0.1",1,"0.2","12345678901234.000000000001","0"]'
    merged = json.loads(merge([row % b"0.1", row % b"0.2"], 0, 1))
    assert (merged[5], merged[7], merged[10]) == ("0.3", "0.2", "24691357802468.000000000002")


def test_extremes_are_compared_as_numbers_and_keep_their_text():
    rows = [
        b'[0,"1","9.50","10.0","1","1",1,"1",1,"1","1","0"]',
        b'[0,"1","10.0","9.50","2","1",1,"1",1,"1","1","0"]',
    ]
    merged = json.loads(merge(rows, 0, 1))
    assert merged[1:5] == ["1", "10.0", "9.50", "2"]
