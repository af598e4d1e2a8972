"""The page Record: for everybody, the figures of the API and every missed hour of the selected days."""

from datetime import UTC, datetime, timedelta

import pytest

from interface import forecasts
from make_us_rich.client.record import MissedHours, PairRecord, RecordScores, RecordWindow
from make_us_rich.domain.forecast import QUANTILE_LEVELS

AS_OF = datetime(2025, 3, 1, 10, 6, tzinfo=UTC)
BELOW = [0.04, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98]


def scores(hours: int | None) -> RecordScores:
    return RecordScores(
        hours=hours,
        outcomes={"close": 168, "high": 160, "low": 160},
        coverage={"50": 0.5, "80": 0.8123, "90": 0.9},
        skill={"close": 0.02, "high": -0.06, "low": None},
        below=dict.fromkeys(("close", "high", "low"), BELOW),
    )


def missed(days_ago: int, reason: str) -> MissedHours:
    last = AS_OF - timedelta(days=days_ago)
    return MissedHours(first=last - timedelta(hours=2), last=last, hours=3, kind="no_run", reason=reason)


def record() -> PairRecord:
    """Three hours without a forecast in the last week, and three before it."""
    by_hour, gaps = (
        [scores(hours) for hours in range(1, 25)],
        [missed(20, "no run started"), missed(2, "the run failed")],
    )
    issued = {"days": 7, "forecasts": 168, "missed": 3, "architectures": ["baseline", "har"]}
    windows, levels = [RecordWindow(**issued, overall=scores(None), horizons=by_hour)], list(QUANTILE_LEVELS)
    return PairRecord(pair="btc_usdt", simulated=False, as_of=AS_OF, levels=levels, windows=windows, missed=gaps)


def test_the_record_needs_no_login_and_is_the_apis(open_app, api, monkeypatch: pytest.MonkeyPatch, plain) -> None:
    assert "Nothing is recorded yet." in open_app("record").text
    monkeypatch.setattr(forecasts, "record", lambda _pair: record())
    app = open_app("record", last="7")
    text = plain(app.text)
    for figures in ("Forecasts 168 3 missed one an hour, by baseline, har", "80 % range 81.2 % held"):
        assert figures in text
    assert "Skill of closes +2.0 % error 2.0 % below the baseline's" in text
    assert "Skill of lows – not measured yet" in text
    horizons, hours = (table.value for table in app.test.dataframe)
    assert (len(horizons), horizons["c80"].iloc[0]) == (25, 81.23)
    assert list(hours["Reason"]) == ["the run failed"]
    closes, touches = (figure["data"][1] for figure in app.figures[1:])
    assert (plain(closes["name"]), closes["x"][-1], closes["y"][-1]) == ("1 h", 95, 98)
    # Of the highs 2 % reached the quantile 0.95, of the lows 4 % the quantile 0.05.
    assert (touches["x"][0], touches["y"][0]) == (5, 3)
    assert f"({api.url}/api/v1/record/btc_usdt/badge.svg)" in app.test.code[0].value


def test_the_selectable_days_are_the_apis_and_those_nearest_a_month_are_selected(open_app, monkeypatch) -> None:
    made = record()
    windows = [made.windows[0].model_copy(update={"days": days}) for days in (5, 20, 60)]
    monkeypatch.setattr(forecasts, "record", lambda _pair: made.model_copy(update={"windows": windows}))
    (control,) = open_app("record").test.segmented_control
    assert (control.options, control.value) == (["5 d", "20 d", "60 d"], 20)
