"""CSV of what is on the screen."""

import csv
import io

from forecast_answers import candles, prediction
from interface.export import candles_csv, forecast_csv


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_forecast_has_a_line_an_hour_and_model() -> None:
    lines = rows(forecast_csv(prediction()))
    assert [(line["model"], line["hours_ahead"]) for line in lines[::24]] == [("har", "1"), ("baseline", "1")]
    assert len(lines) == 48
    assert lines[1] == {
        "pair": "btc_usdt",
        "model": "har",
        "version": "2025-03-01T00.05.00.000Z",
        "issued_at": "2025-03-03T00:00:00+00:00",
        "last_close": "148.0",
        "hours_ahead": "2",
        "closes_at": "2025-03-03T02:00:00+00:00",
        # Two hours spread by 18, 12 and 4.
        "q0.05": "130.0",
        "q0.1": "136.0",
        "q0.25": "144.0",
        "q0.5": "148.0",
        "q0.75": "152.0",
        "q0.9": "160.0",
        "q0.95": "166.0",
    }


def test_without_a_baseline_there_is_one_model() -> None:
    assert {line["model"] for line in rows(forecast_csv(prediction(baseline=False)))} == {"har"}


def test_a_missing_candle_has_no_line() -> None:
    lines = rows(candles_csv(candles(4, frozenset({2}))))
    assert [line["opened_at"] for line in lines] == [
        "2025-03-01T00:00:00+00:00",
        "2025-03-01T01:00:00+00:00",
        "2025-03-01T03:00:00+00:00",
    ]
    assert lines[2] == {**lines[2], "open": "103.0", "high": "105.0", "low": "102.0", "close": "104.0", "volume": "5.0"}
