from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from make_us_rich.candles.frame import empty_klines, to_klines
from make_us_rich.candles.report import DataReport
from make_us_rich.domain.errors import DataError
from make_us_rich.domain.pair import Pair
from make_us_rich.domain.run import RunContext
from make_us_rich.pipelines.fetching.nodes import check_klines, fetch_missing
from make_us_rich.pipelines.fetching.parameters import FetchingParameters
from make_us_rich.pipelines.fetching.pipeline import create_pipeline

START = datetime(2025, 3, 1, tzinfo=UTC)
START_MS = 1_740_787_200_000
HOUR = timedelta(hours=1)
PARAMETERS = FetchingParameters(
    recent_days=2, max_missing_share=0.05, frozen_hours=3, enough_candles=10, fewest_candles=5
)
RUN = RunContext(Pair("btc", "usdt"), "2025-03-05T00.00.00.000Z", START, "unknown")
REPO = Path(__file__).parents[2]


def hours(first, last):
    rows = []
    for hour in range(first, last):
        opened = START_MS + hour * 3_600_000
        rows.append([opened, "100", "102", "98", "101", "5", opened + 3_599_999, "500", 9, "2", "200", "0"])
    return to_klines(rows, "BTCUSDT")


class Source:
    """An exchange that trades since an hour, and notes what it is asked."""

    def __init__(self, hour, listed=-10_000):
        self.time = START + (hour + 0.25) * HOUR
        self.listed = listed
        self.asked = []

    def now(self):
        return self.time

    def between(self, start, end):
        first, last = ((moment - START) // HOUR for moment in (start, end))
        self.asked.append((first, last))
        return hours(max(first, self.listed), last)


def test_first_fetch_asks_for_the_whole_history():
    source = Source(hour=100)
    klines, fetched_at = fetch_missing(source, empty_klines(), history_days=3, run=RUN)
    assert source.asked == [(28, 100)]
    pd.testing.assert_frame_equal(klines, hours(28, 100))
    assert fetched_at == {"now": "2025-03-05T04:15:00+00:00"}


def test_second_fetch_in_the_same_hour_asks_for_nothing():
    source = Source(hour=100)
    stored, _ = fetch_missing(source, empty_klines(), 3, RUN)
    klines, _ = fetch_missing(source, stored, 3, RUN)
    assert source.asked == [(28, 100)]
    pd.testing.assert_frame_equal(klines, stored)


def test_fetch_an_hour_later_asks_for_one_candle_and_the_one_before_in_one_call():
    stored, _ = fetch_missing(Source(hour=100), empty_klines(), 3, RUN)
    source = Source(hour=101)
    klines, _ = fetch_missing(source, stored, 3, RUN)
    assert source.asked == [(99, 101)]
    pd.testing.assert_frame_equal(klines, hours(28, 101))


def test_longer_history_asks_for_the_head():
    stored, _ = fetch_missing(Source(hour=100), empty_klines(), 3, RUN)
    source = Source(hour=100)
    klines, _ = fetch_missing(source, stored, 4, RUN)
    assert source.asked == [(4, 28)]
    pd.testing.assert_frame_equal(klines, hours(4, 100))


def test_young_pair_is_not_asked_for_its_head_every_hour():
    stored, _ = fetch_missing(Source(hour=100, listed=80), empty_klines(), 3, RUN)
    source = Source(hour=101, listed=80)
    klines, _ = fetch_missing(source, stored, 3, RUN)
    assert source.asked == [(99, 101)]
    assert len(klines) == 21


def test_stored_candles_are_kept_beyond_the_history():
    klines, _ = fetch_missing(Source(hour=200), hours(0, 150), 3, RUN)
    pd.testing.assert_frame_equal(klines, hours(0, 200))


def test_gap_of_late_is_filled_by_the_same_call():
    source = Source(hour=101)
    klines, _ = fetch_missing(source, hours(0, 100).drop([95, 96]), 4, RUN)
    assert source.asked == [(94, 101)]
    pd.testing.assert_frame_equal(klines, hours(0, 101))


def test_exchange_whose_clock_is_behind_is_asked_for_nothing():
    source = Source(hour=50)
    klines, _ = fetch_missing(source, hours(0, 100), 2, RUN)
    assert source.asked == []
    assert len(klines) == 100


def test_stored_candles_are_not_changed():
    stored = hours(0, 100)
    fetch_missing(Source(hour=110), stored, 3, RUN)
    pd.testing.assert_frame_equal(stored, hours(0, 100))
    assert stored.attrs == {}


@given(st.sets(st.integers(0, 99)), st.integers(100, 130), st.integers(1, 6))
def test_two_fetches_leave_no_candle_of_late_missing_and_ask_for_nothing_twice(there, hour, days):
    source = Source(hour)
    stored = hours(0, 100).loc[sorted(there)].reset_index(drop=True)
    klines, _ = fetch_missing(source, stored, days, RUN)
    assert len(source.asked) <= 2
    again, _ = fetch_missing(source, klines, days, RUN)
    assert len(source.asked) <= 2
    pd.testing.assert_frame_equal(again, klines)
    wanted = {START + at * HOUR for at in range(hour - 24 * days, hour)}
    assert wanted <= set(klines["timestamp"])


def test_checked_klines_come_with_a_report_that_can_be_stored():
    klines, record = check_klines(hours(0, 100), {"now": "2025-03-05T04:15:00+00:00"}, RUN, PARAMETERS)
    report = DataReport.model_validate(record)
    assert (report.pair, report.rows_out, report.fresh, report.whole) == ("btc_usdt", 100, True, True)
    pd.testing.assert_frame_equal(klines, hours(0, 100))


def test_reasons_are_logged(caplog):
    check_klines(hours(0, 100), {"now": "2025-03-05T06:15:00+00:00"}, RUN, PARAMETERS)
    assert "BTC_USDT: not fresh" in caplog.text


def test_hardly_any_candle_stops_the_run():
    text = r"BTC_USDT: 4 of 4 fetched candles are usable, at least 5 are needed \(`fetching.fewest_candles`\)"
    with pytest.raises(DataError, match=text):
        check_klines(hours(0, 4), {"now": "2025-03-01T04:15:00+00:00"}, RUN, PARAMETERS)


def test_parameters_of_the_project_are_valid():
    content = yaml.safe_load((REPO / "conf/base/parameters_fetching.yml").read_text(encoding="utf-8"))
    assert FetchingParameters.model_validate(content["fetching"]).recent_days >= 8


def test_unknown_parameter_is_refused():
    with pytest.raises(ValidationError, match="recent_day\n"):
        FetchingParameters.model_validate({**PARAMETERS.model_dump(), "recent_day": 3})


def test_frozen_feed_of_one_hour_is_refused():
    with pytest.raises(ValidationError, match="frozen_hours\n"):
        FetchingParameters.model_validate({**PARAMETERS.model_dump(), "frozen_hours": 1})


def test_pipeline_leads_from_the_exchange_to_clean_candles():
    pipeline = create_pipeline()
    assert pipeline.inputs() == {
        "exchange_klines",
        "stored_klines",
        "run",
        "params:history_days",
        "params:fetching",
    }
    assert pipeline.all_outputs() == {"raw_klines", "fetched_at", "klines", "data_report"}
    assert all(node.tags == {"fetching"} for node in pipeline.nodes)
