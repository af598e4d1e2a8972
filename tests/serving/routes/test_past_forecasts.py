"""Spans of the live record: in pages, and as files."""

import io
from datetime import UTC, datetime

import pandas as pd
import pytest

from live_files import FAN, HOUR, write_record
from make_us_rich.client.schemas import PastForecasts
from make_us_rich.monitoring.live_record import DTYPES

from ..conftest import NOW

URL = "/api/v1/forecasts/btc_usdt"
FIRST = datetime(2025, 3, 1, 6, tzinfo=UTC)


@pytest.fixture
def ask(api):
    """Asks as a new user for a record of five forecasts, which is its attribute ``record``."""
    bearer = api.bearer()

    def get(url: str = URL, **query: object):
        return api.client.get(url, params=query or None, headers=bearer)

    get.api, get.record = api, write_record(api.place.project, NOW, hours=5)
    return get


def test_a_span_comes_in_pages_oldest_first_each_counted(ask) -> None:
    end = FIRST + 4 * HOUR
    pages = [ask(start=FIRST.isoformat(), end="2025-03-01T10:00", horizon=2, limit=3)]
    pages.append(ask(URL + pages[0].headers["link"].partition(">")[0].lstrip("<")))
    first, last = (PastForecasts.model_validate_json(page.content) for page in pages)
    listed = [*first.forecasts, *last.forecasts]

    assert (first.source, first.version, first.horizon, first.simulated) == ("recorded", "v2", 2, True)
    assert first.next_start == FIRST + 3 * HOUR
    assert last.next_start is None
    assert "link" not in pages[1].headers
    assert [(each.issued_at, each.closes_at) for each in listed] == [
        (FIRST + at * HOUR, FIRST + (at + 2) * HOUR) for at in range(4)
    ]
    assert [each.outcome for each in listed] == [101.0, 101.0, 101.0, None]
    assert listed[0].quantiles == list(FAN[1])
    assert listed[-1].issued_at < end
    assert [page.headers["x-ratelimit-remaining"] for page in pages] == ["999", "998"]


def test_the_record_as_parquet_and_csv_has_every_hour_ahead(ask) -> None:
    parquet, csv = ask(format="parquet"), ask(format="csv", start=FIRST.isoformat())

    assert parquet.headers["content-type"] == "application/vnd.apache.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(parquet.content)), ask.record)
    rows = pd.read_csv(io.BytesIO(csv.content))
    assert csv.headers["content-type"].startswith("text/csv")
    assert list(rows) == list(DTYPES)
    assert (pd.to_datetime(rows["closes_at"]) == ask.record["closes_at"]).all()
    assert csv.headers["x-ratelimit-remaining"] == "998"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"start": "2025-03-02", "end": "2025-03-01"}, "is not before end, 2025-03-01T00:00:00+00:00"),
        ({"start": "2025-03-01", "end": "2025-03-01"}, "swap them, or leave one out"),
        ({"start": "yesterday"}, "start: Input should be a valid datetime"),
        ({"end": "2025-03-01", "horizon": 25}, "horizon"),
        ({"end": "2025-03-01", "limit": 0}, "limit"),
        ({"format": "xlsx"}, "format"),
    ],
)
def test_a_bad_span_is_refused_and_not_counted(ask, query, text) -> None:
    answer = ask(**query)

    assert answer.status_code == 422
    assert text in answer.text
    assert ask(end="9999-12-31T23:59:59-14:00").headers["x-ratelimit-remaining"] == "999"


def test_without_a_token_it_is_401_and_without_a_readable_record_503_and_not_counted(ask) -> None:
    assert ask(end="0001-01-01T00:00:00+14:00").json()["forecasts"] == []
    assert ask(start="2025-03-01").json()["horizon"] == 1, "without one it is the next hour"
    assert ask.api.client.get(URL, params={"start": "2025-03-01"}).status_code == 401
    assert ask.api.client.get(URL).status_code == 200
    file = ask.api.place.project / "data/07_model_output/btc_usdt/live_record.parquet"
    file.write_bytes(b"PAR1")
    damaged = ask(format="csv")
    file.unlink()
    absent = ask(format="csv")

    assert [each.status_code for each in (damaged, absent)] == [503, 503]
    assert "the live record is damaged" in damaged.text
    assert "no_forecast" in absent.text
    assert ask("/api/v1/volatility/btc_usdt").headers["x-ratelimit-remaining"] == "997"
