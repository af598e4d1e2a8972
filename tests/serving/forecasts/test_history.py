"""Past forecasts: the live record where there is one, else a backtest of the champion."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from live_files import FAN, HOUR, write_live
from make_us_rich.backtest.calibration import CalibrationParameters
from make_us_rich.domain.forecast import HORIZON, LEVELS, QUANTILE_LEVELS
from make_us_rich.inference.champion import Champion
from make_us_rich.inference.past import HISTORY_DAYS, past_forecasts_of
from make_us_rich.replay import ReplayServer
from make_us_rich.repository import ModelRepository
from serving.forecasts.candles import Candles
from serving.forecasts.history import REFRESH_SECONDS, ForecastHistory, run_backtest
from serving.forecasts.models import ModelCache
from serving.forecasts.service import ForecastService
from synthetic import ROWS, published_version, simulated_klines, walked

from ..conftest import NOW, TEN, Stopwatch

Open = Callable[..., ForecastService]


@pytest.fixture
def record(project: Path, stopwatch: Stopwatch) -> ForecastHistory:
    """Of btc_usdt; nobody monitors eth_usdt."""
    write_live(project, NOW)
    repository = replace(ModelRepository.open("base", project), pairs=("btc_usdt", "eth_usdt"))
    made = ForecastHistory(repository, ModelCache(repository), None, stopwatch)
    made.refresh()
    return made


@pytest.fixture
def recorded(open_service: Open, place) -> Callable[..., ForecastService]:
    """Opens the service on a record."""

    def open_recorded(**content: object) -> ForecastService:
        write_live(place.project, NOW, **content)
        return open_service()

    return open_recorded


def test_scores_are_read_once_a_minute(record: ForecastHistory, stopwatch: Stopwatch, project: Path) -> None:
    assert set(record.scores) == {"btc_usdt"}
    assert record.recent("eth_usdt") is None
    write_live(project, NOW, hours=31)
    record.refresh()
    assert record.scores["btc_usdt"].n_forecasts == 30

    stopwatch.seconds = REFRESH_SECONDS
    record.refresh()
    assert record.scores["btc_usdt"].n_forecasts == 31


@pytest.mark.parametrize("name", ["live_scores", "live_recent"])
def test_a_damaged_record_leaves_what_was_read_before(
    record: ForecastHistory, stopwatch: Stopwatch, project: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = record.recent("btc_usdt")
    write_live(project, NOW + HOUR)
    (project / f"data/08_reporting/btc_usdt/{name}.json").write_text('{"pair": 3}')
    for stopwatch.seconds in (REFRESH_SECONDS, 2 * REFRESH_SECONDS):
        record.refresh()
        assert record.recent("btc_usdt") is first

    assert caplog.text.count("using what was read before") == 1


def test_recorded_forecasts_of_a_week_are_returned_as_they_were_served(recorded: Open) -> None:
    past = recorded(hours=190).history.at("btc_usdt", 4)

    assert (past.source, past.version, len(past.forecasts)) == ("recorded", "v2", 165)
    assert past.forecasts[0].issued_at == TEN - 168 * HOUR
    newest = past.forecasts[-1]
    assert (newest.issued_at, newest.closes_at, newest.outcome) == (TEN - 4 * HOUR, TEN, 101.0)
    assert newest.quantiles == list(FAN[3])


@pytest.mark.parametrize(
    ("content", "coverage"),
    [
        # 101 is within the quartiles after one hour: 99 to 101 around 100.
        ({"hours": 30}, 1.0),
        ({"hours": 20}, None),  # The outcome of the last one is not known yet.
        ({"hours": 30, "architecture": "har"}, None),
    ],
    ids=["enough", "below 20 outcomes", "of another architecture"],
)
def test_coverage_needs_twenty_outcomes_of_the_served_architecture(
    recorded: Open, content: dict[str, object], coverage: float | None
) -> None:
    past = recorded(**content).history.at("btc_usdt", 1)

    assert past.coverage == dict.fromkeys(("50", "80", "90"), coverage)


def test_without_an_outcome_at_the_horizon_and_at_another_date_the_champion_is_backtested(recorded: Open) -> None:
    service = recorded(hours=3)

    assert [service.history.at("btc_usdt", horizon).source for horizon in (1, 4)] == ["recorded", "backtest"]
    service.models.serve_as_of(datetime(2025, 2, 1, tzinfo=UTC))
    assert service.history.at("btc_usdt", 1).source == "backtest"


def test_the_backtest_repeats_what_was_forecast_and_observed(open_service: Open, exchange: ReplayServer) -> None:
    service = open_service()
    then = service.get("btc_usdt").forecast
    exchange.clock.advance(30 * HOUR)
    service.refresh_candles()
    past = service.history.at("btc_usdt", 24)
    again = next(each for each in past.forecasts if each.issued_at == TEN)

    assert again.quantiles == pytest.approx(then.quantiles[23], rel=1e-6)
    closes = service.candles.get("btc_usdt").frame.set_index("timestamp")["close"]
    assert (again.last_close, again.outcome) == (closes[TEN - HOUR], closes[TEN + 23 * HOUR])
    inside = [each.quantiles[1] <= each.outcome <= each.quantiles[5] for each in past.forecasts]
    assert past.coverage["80"] == pytest.approx(sum(inside) / len(inside))


def test_the_backtests_own_forecasts_go_before_the_fit_and_the_models_after_it() -> None:
    model, backtest, hours = published_version(), walked()["close"], 30
    past = past_forecasts_of(walked(), "baseline", CalibrationParameters(), center=True)
    champion, klines = Champion(model.manifest, model.onnx_model, past=past), simulated_klines(rows=ROWS + hours)

    table = run_backtest(champion, Candles(klines, len(klines)))

    # The fit has seen the outcomes of the last day before it, and the backtest has none of its forecasts.
    ended = klines["timestamp"].iloc[ROWS - 1].to_pydatetime() + HOUR
    known = [ended + at * HOUR for at in range(hours)]
    before = [ended - (HORIZON + at) * HOUR for at in range(24 * HISTORY_DAYS, -1, -1)]
    assert list(table.issued_at) == [*before, *known]
    scored = [LEVELS.index(level) for level in QUANTILE_LEVELS]
    made = backtest.closes[-len(before) :, None, None] * np.exp(
        backtest.quantiles["baseline"][-len(before) :, :, scored]
    )
    np.testing.assert_allclose(table.quantiles[: len(before)], made, rtol=1e-6)
    newest = champion.forecast(klines.iloc[: ROWS + hours - 1])
    np.testing.assert_allclose(table.quantiles[-1], newest.quantiles, rtol=1e-6)
