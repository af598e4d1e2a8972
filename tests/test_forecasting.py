"""``kedro forecast``: what it prints, as JSON too, and what it refuses."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from make_us_rich import forecasting
from make_us_rich.cli import cli
from make_us_rich.domain.errors import DataError, MakeUsRichError
from make_us_rich.domain.klines import HOUR
from make_us_rich.forecasting import ForecastReport
from make_us_rich.klines.frame import empty_klines
from make_us_rich.klines.incremental import annotate
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket
from make_us_rich.repository import ModelRepository
from synthetic import VERSION, lay_out, simulated_klines, store

Forecast = Callable[..., Result]
ISSUED_AT = simulated_klines()["timestamp"].iloc[-1].to_pydatetime() + HOUR


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a project with a champion of btc_usdt and its candles, three hours after the last one."""
    store(lay_out(tmp_path), VERSION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    monkeypatch.setattr(forecasting, "utc_now", lambda: ISSUED_AT + 3 * HOUR)
    save_klines("klines", simulated=True)
    return tmp_path


def save_klines(name: str, *, simulated: bool) -> None:
    klines = annotate(simulated_klines(), empty_klines(), ISSUED_AT, simulated=simulated)
    ModelRepository.open().catalog.save(f"btc_usdt.{name}", klines)


@pytest.fixture
def forecast(project: Path) -> Forecast:
    """Runs the command."""
    return lambda *arguments: CliRunner().invoke(cli, ["forecast", "btc_usdt", *arguments])


def test_the_json_is_the_champions_forecast(forecast: Forecast) -> None:
    expected = ModelRepository.open().model("btc_usdt").forecast(simulated_klines())
    last = expected.last_close
    prices = [f"--above={last * 1.01}", f"--below={last * 0.99}", f"--touch={last * 1.02}", f"--touch={last * 9}"]
    report = ForecastReport.model_validate_json(forecast("--hours=6", "--json", *prices).output)

    assert (report.version, report.issued_at, report.last_close) == (VERSION, ISSUED_AT, last)
    assert (report.age_seconds, report.simulated) == (10_800, True)
    assert len(report.closes_at) == len(report.quantiles) == len(report.low or ()) == 6
    assert report.quantiles[5][report.levels.index(0.95)] == pytest.approx(expected.quantile("close", 6, 0.95))
    assert report.high is not None
    assert report.high[5] == pytest.approx(expected.quantile("high", 6, 0.9))
    assert report.volatility.sigma == expected.volatility(6).sigma
    assert [(each.event, each.probability, each.bound) for each in report.events] == [
        ("close_above", *expected.probability(last * 1.01, 6)),
        ("close_below", *expected.probability(last * 0.99, 6, below=True)),
        ("touch", *expected.touch(last * 1.02, 6)),
        ("touch", 0.005, "below"),
    ]


def test_the_table_says_how_old_the_candles_are_and_that_the_market_is_simulated(forecast: Forecast) -> None:
    lines = forecast("--hours=5", "--touch=1e6").output.splitlines()

    assert lines[0].endswith(f" at {ISSUED_AT:%Y-%m-%d %H:%M} UTC, 3 h ago; the market is simulated")
    assert "add --fetch" in lines[2]
    assert lines[3].split() == ["closes", "at", "(UTC)", "5%", "25%", "50%", "75%", "95%", "low", "10%", "high", "90%"]
    shown = [f"{ISSUED_AT + hour * HOUR:%d %b %H:%M}" for hour in (1, 2, 4, 5)]
    assert [line[:12] for line in lines[4:8]] == shown
    assert lines[9].startswith("volatility within 5 h: ")
    assert lines[10] == "touches 1000000 within 5 h: less than 0.5%"


def test_new_candles_are_fetched_and_must_be_of_the_stored_market(forecast: Forecast, project: Path) -> None:
    now = ISSUED_AT + timedelta(hours=2, minutes=30)
    with ReplayServer(SimulatedMarket(seed=42), clock=Clock(now, speed=0)) as exchange:
        (project / "conf/local/globals.yml").write_text(f"exchange_url: {exchange.url}\n")
        report = json.loads(forecast("--fetch", "--json").output)
        assert datetime.fromisoformat(report["issued_at"]) == (ISSUED_AT + 2 * HOUR).astimezone(UTC)
        assert (report["age_seconds"], report["simulated"]) == (1_800, True)

        save_klines("raw_klines", simulated=False)
        refused = forecast("--fetch").exception
        assert isinstance(refused, DataError)
        assert "one of them is simulated" in refused.message


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["forecast", "doge_usdt"], "doge_usdt: not among the configured pairs: btc_usdt, eth_usdt, chz_usdt"),
        (["forecast", "BTCUSDT"], "'btcusdt' is not a pair; write base and quote as in 'btc_usdt'"),
        (["forecast", "eth_usdt"], "eth_usdt: no model is published; run the pair: kedro run --pipeline=eth_usdt"),
        (["forecast", "btc_usdt", "--hours=25"], "horizon 25 is not forecast; choose 1 to 24 hours"),
        (["forecast", "btc_usdt", "--touch=0"], "0.0 is no price; give a positive number"),
        (["forecast", "btc_usdt", "--above=nan"], "nan is no price; give a positive number"),
    ],
)
def test_what_cannot_be_forecast_is_refused_with_a_remedy(project: Path, arguments: list[str], line: str) -> None:
    refused = CliRunner().invoke(cli, arguments).exception
    assert isinstance(refused, MakeUsRichError)
    assert line in str(refused)
