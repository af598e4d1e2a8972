from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from make_us_rich.candles.frame import empty_klines
from make_us_rich.candles.missing import missing_spans, remember_asked

START = datetime(2025, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hour):
    return START + hour * HOUR


def test_everything_is_missing_where_nothing_is_stored():
    assert missing_spans(empty_klines(), at(0), at(100)) == [(at(0), at(100))]


def test_nothing_is_missing_where_all_is_stored(hours):
    assert missing_spans(hours(100), at(0), at(100)) == []


def test_stored_candles_may_begin_earlier_and_end_later(hours):
    assert missing_spans(hours(100), at(10), at(90)) == []


@pytest.mark.parametrize("new", [1, 24, 5000])
def test_tail_begins_with_the_last_stored_candle(hours, new):
    assert missing_spans(hours(100), at(0), at(100 + new)) == [(at(99), at(100 + new))]


def test_head_ends_at_the_first_stored_candle(hours):
    assert missing_spans(hours(100), at(-50), at(100)) == [(at(-50), at(0))]


def test_head_and_tail_are_two_spans(hours):
    assert missing_spans(hours(100), at(-50), at(102)) == [(at(-50), at(0)), (at(99), at(102))]


def test_gap_of_late_and_tail_are_one_span(hours):
    stored = hours(400).drop([350, 351])
    assert missing_spans(stored, at(0), at(401)) == [(at(349), at(401))]


def test_gap_older_than_seven_days_is_final(hours):
    stored = hours(400).drop([400 - 7 * 24 - 1])
    assert missing_spans(stored, at(0), at(400)) == []


def test_gap_of_exactly_seven_days_is_asked_for(hours):
    stored = hours(400).drop([400 - 7 * 24])
    assert missing_spans(stored, at(0), at(400)) == [(at(400 - 7 * 24 - 1), at(400))]


def test_unusable_candle_of_late_is_asked_for_again(hours):
    stored = hours(400)
    stored.loc[390, "close"] = float("nan")
    assert missing_spans(stored, at(0), at(400)) == [(at(389), at(400))]


def test_earlier_candles_are_asked_for_once(hours):
    stored = remember_asked(hours(100), empty_klines(), at(-50))
    assert missing_spans(stored, at(-50), at(100)) == []
    assert missing_spans(stored, at(-40), at(100)) == []


def test_longer_history_than_asked_before_is_asked_for(hours):
    stored = remember_asked(hours(100), empty_klines(), at(-50))
    assert missing_spans(stored, at(-80), at(100)) == [(at(-80), at(-50))]


def test_note_of_what_was_asked_survives_parquet(hours, tmp_path):
    remember_asked(hours(100), empty_klines(), at(-50)).to_parquet(tmp_path / "klines.parquet")
    stored = pd.read_parquet(tmp_path / "klines.parquet")
    assert missing_spans(stored, at(-50), at(100)) == []


def test_note_keeps_the_earliest(hours):
    stored = remember_asked(hours(100), empty_klines(), at(-50))
    later = remember_asked(hours(101), stored, at(-49))
    assert missing_spans(later, at(-50), at(101)) == []


def test_note_does_not_change_its_input(hours):
    klines = hours(10)
    remember_asked(klines, klines, at(-50))
    assert klines.attrs == {}
