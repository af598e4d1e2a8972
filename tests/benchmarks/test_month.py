"""Two days of the simulated month: every hour has a forecast or a reason, and alerts are those of the plan."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.month.__main__ import HISTORY, PARAMETERS, START
from benchmarks.month.market import crashing_market, stretch
from benchmarks.month.plan import EVENTS, MONTH, SHORT
from benchmarks.month.project import lay_out
from benchmarks.month.report import figures, report, wrong
from benchmarks.month.simulation import HOUR, Month, Plan
from benchmarks.month.sink import Sink
from make_us_rich.alerts.sending import VARIABLE
from make_us_rich.replay import Clock, ReplayServer
from synthetic import simulated_klines

HOURS = 48
YOUNG: dict[str, Any] = {
    **PARAMETERS,
    "history_days": 90,
    "walk_forward": {"folds": 2, "hours": 72, "lead_in_hours": 72, "least_windows": 200},
}
"""The baseline is served: what is looked at is the record, not the model."""


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Month, Sink]]:
    """Two days, lived through."""
    folder = tmp_path_factory.mktemp("month")
    span = (START - timedelta(days=HISTORY), START + (HOURS + 2) * HOUR)
    market = crashing_market(folder, span, (START + 20 * HOUR, START + 24 * HOUR))
    with pytest.MonkeyPatch.context() as patch, Sink() as sink:
        patch.setenv(VARIABLE, sink.address)
        patch.delenv("MAKE_US_RICH_API_URL", raising=False)
        with ReplayServer(market, Clock(START, speed=0), weight_limit=10**9) as exchange:
            project = lay_out(folder / "project", exchange.url, YOUNG)
            patch.chdir(project)
            month = Month(project, exchange, Plan(START, HOURS, SHORT))
            assert list(month.live()) == list(range(HOURS))
        yield month, sink


@pytest.mark.slow
def test_every_hour_has_one_forecast_or_a_reason(lived: tuple[Month, Sink]) -> None:
    found = figures(lived[0])

    assert found["unexplained_holes"] == found["duplicates"] == 0
    assert found["issued"] + sum(found["holes"].values()) == HOURS
    assert found["holes"] == {"no_run": 3 + 2, "failed": 2, "stale": 4}
    # A day before the end they have all come true.
    assert found["scored"] >= found["issued"] - 24


@pytest.mark.slow
def test_alerts_are_those_of_the_plan_and_over_at_the_end(lived: tuple[Month, Sink]) -> None:
    month, sink = lived
    found = figures(month)

    assert (found["unexpected_alerts"], found["missing_alerts"], found["open_alerts"]) == (0, 0, 0)
    assert len(sink.messages) >= 2 * found["alerts"] - 2


@pytest.mark.slow
def test_the_report_can_be_read(lived: tuple[Month, Sink]) -> None:
    text = "\n".join(report(lived[0]))

    assert "UNEXPECTED" not in text
    assert "the newest candle closed at" in text


def test_the_plan_fits_into_a_month() -> None:
    assert all(event.start + event.hours <= 720 for event in MONTH)
    assert {event.name for event in MONTH} == set(EVENTS)


def test_a_crash_moves_the_price_five_times_as_far(tmp_path: Path) -> None:
    klines = simulated_klines()
    begin = klines["timestamp"].iloc[100].to_pydatetime()
    made = stretch(klines, (begin, begin + timedelta(hours=48)))
    moves, before = (np.diff(np.log(frame["close"].to_numpy())) for frame in (made, klines))

    assert np.allclose(moves[99:147], 5 * before[99:147], atol=1e-6)
    assert np.allclose(moves[147:], before[147:], atol=1e-6)
    assert (made["high"] >= made[["open", "close"]].max(axis=1)).all()
    assert (made["low"] <= made[["open", "close"]].min(axis=1)).all()


def test_an_alert_that_no_event_accounts_for_is_counted(lived: tuple[Month, Sink]) -> None:
    month = lived[0]
    quiet = Month.__new__(Month)
    quiet.outcome, quiet.plan = month.outcome, dataclasses.replace(month.plan, events=())

    assert figures(quiet)["unexpected_alerts"] == figures(month)["alerts"] > 0
    assert any("unexpected alerts" in line for line in wrong(quiet))


@pytest.mark.slow
def test_nothing_is_wrong_but_that_the_store_still_fills(lived: tuple[Month, Sink]) -> None:
    assert [line for line in wrong(lived[0]) if not line.startswith("the store grew")] == []
