"""The public record: what was forecast and what happened, for everybody, and as a badge."""

import json
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest

from live_files import HOUR, write_live
from make_us_rich.client.record import PairRecord, PublicRecord
from make_us_rich.domain.live import ALL_HORIZONS, HorizonScores, LiveScores, MissedForecast, WindowScores
from serving.forecasts.candles import CandleCache
from serving.routes.record import render_badge

from ..conftest import NOW, TEN

PIT = (0.04, 0.06, 0.15, 0.25, 0.25, 0.15, 0.04, 0.06)
BELOW = [0.04, 0.1, 0.25, 0.5, 0.75, 0.9, 0.94]
SHARES = {"coverage_50": 0.5, "coverage_80": 0.81234, "coverage_90": 0.9, "skill": 0.02, "pit": PIT}
EXTREMES = {"high_n_outcomes": 690, "high_skill": 0.06, "high_pit": PIT, "low_n_outcomes": 690}
FULL = HorizonScores(horizon=ALL_HORIZONS, n_outcomes=700, **SHARES, **EXTREMES)
FEW = HorizonScores(horizon=1, n_outcomes=19)


def window(days: int, overall: HorizonScores = FULL) -> WindowScores:
    return WindowScores(days=days, architectures=("baseline", "har"), n_forecasts=720, overall=overall, horizons=(FEW,))


WINDOWS = tuple(window(days) for days in (7, 30, 90))
MISSED = (
    *(MissedForecast(hour=TEN - at * 24 * HOUR, kind="no_run", reason="no run started") for at in (60, 20)),
    *(MissedForecast(hour=TEN - at * HOUR, kind="no_run", reason="no run started") for at in (6, 5, 4)),
    MissedForecast(hour=TEN - 3 * HOUR, kind="failed", reason="the run failed: postgresql://root:secret@db"),
)


@pytest.fixture
def recorded(api, tmp_path) -> Callable[..., Any]:
    """The API with a record of btc_usdt, until the next one."""

    def record(now: Any = NOW, older: bool = False, **changes: object) -> Any:
        write_live(tmp_path, now, **{"served": WINDOWS, "missed": MISSED, **changes})
        content = json.loads((tmp_path / "data/08_reporting/btc_usdt/live_scores.json").read_text())
        if older:
            content["newest_missed"] = content.pop("missed")
            del content["served"], content["simulated"]
        api.service.history.scores = {"btc_usdt": LiveScores.read(content, "btc_usdt")}
        api.service.public_record._bodies.clear()
        return api.client

    yield record
    api.service.history.scores = {}


def test_the_record_of_a_pair_needs_no_token_and_every_missed_hour_has_a_reason(recorded) -> None:
    answer = recorded().get("/api/v1/record/BTC_USDT")
    record = PairRecord.model_validate_json(answer.content)

    assert (record.pair, record.simulated, record.as_of, len(record.levels)) == ("btc_usdt", True, NOW, 7)
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert [(each.days, each.forecasts, each.missed) for each in record.windows] == [
        (7, 720, 4),
        (30, 720, 5),
        (90, 720, 6),
    ]
    month = record.windows[1]
    assert month.architectures == ["baseline", "har"]
    assert month.overall.hours is None
    assert month.overall.outcomes == {"close": 700, "high": 690, "low": 690}
    assert month.overall.coverage == {"50": 0.5, "80": 0.8123, "90": 0.9}
    assert month.overall.skill == {"close": 0.02, "high": 0.06, "low": None}
    assert month.overall.below == {"close": BELOW, "high": BELOW, "low": None}
    few = month.horizons[0]
    assert (few.hours, few.outcomes["close"], few.coverage["80"], few.skill["close"]) == (1, 19, None, None)

    assert [(each.first, each.last, each.hours, each.kind) for each in record.missed] == [
        (TEN - 1_440 * HOUR, TEN - 1_440 * HOUR, 1, "no_run"),
        (TEN - 480 * HOUR, TEN - 480 * HOUR, 1, "no_run"),
        (TEN - 6 * HOUR, TEN - 4 * HOUR, 3, "no_run"),
        (TEN - 3 * HOUR, TEN - 3 * HOUR, 1, "failed"),
    ]
    assert record.missed[-1].reason == "the run failed"
    assert "secret" not in answer.text, "a reason has nothing of an error's message"


def test_the_records_of_all_pairs_are_those_of_each_until_the_next_run_of_the_monitoring(recorded, api) -> None:
    client = recorded()
    btc, eth = PublicRecord.model_validate_json(client.get("/api/v1/record").content).pairs

    assert btc == PairRecord.model_validate_json(client.get("/api/v1/record/btc_usdt").content)
    assert (eth.pair, eth.as_of, eth.windows, eth.missed) == ("eth_usdt", None, [], [])
    assert client.get("/api/v1/record/doge_usdt").status_code == 404

    found = api.service.history.scores["btc_usdt"]
    api.service.history.scores = {"btc_usdt": found.model_copy(update={"at": NOW + HOUR, "served": WINDOWS[:1]})}
    after = client.get("/api/v1/record/btc_usdt").json()
    assert (len(btc.windows), len(after["windows"])) == (3, 1)


def test_what_an_earlier_release_has_written_is_still_read(recorded) -> None:
    record = recorded(older=True).get("/api/v1/record/btc_usdt").json()

    assert (record["windows"], len(record["missed"])) == ([], 4)


@pytest.mark.parametrize(
    ("changes", "label", "text"),
    [
        ({}, "BTC/USDT (simulated)", "80 % interval held 81 %, 30 d"),
        ({"now": NOW - 4 * HOUR}, "BTC/USDT (simulated)", "no record since 2025-03-01"),
        ({"served": (window(7), window(45))}, "BTC/USDT (simulated)", "80 % interval held 81 %, 45 d"),
        ({"served": (window(30, FEW),)}, "BTC/USDT (simulated)", "too few outcomes, 30 d"),
        ({"served": ()}, "BTC/USDT (simulated)", "no record yet"),
    ],
    ids=["enough", "old", "nearest", "few", "none"],
)
def test_the_badge_says_how_often_the_interval_held(recorded, changes, label, text) -> None:
    answer = recorded(**changes).get("/api/v1/record/btc_usdt/badge.svg")

    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert texts(answer.text) == [f"{label}: {text}", label, text]


@pytest.mark.parametrize("simulated", [False, True])
def test_the_record_knows_its_market_before_the_exchange_is_asked(recorded, monkeypatch, simulated: bool) -> None:
    monkeypatch.setattr(CandleCache, "simulated", False)
    client = recorded(simulated=simulated)

    assert client.get("/api/v1/record/btc_usdt").json()["simulated"] == simulated
    assert ("(simulated)" in client.get("/api/v1/record/btc_usdt/badge.svg").text) == simulated


def test_a_badge_shows_any_letters() -> None:
    odd = '<script>&"币安人生'

    assert texts(render_badge(odd, "{odd}", simulated=False)) == [f"{odd}: {{odd}}", odd, "{odd}"]


def texts(svg: str) -> list[str]:
    return [text for each in ElementTree.fromstring(svg).iter() if (text := (each.text or "").strip())]
