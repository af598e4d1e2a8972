"""The candle cache against the real replay exchange: one request an hour and pair; the last good candles are kept."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from live_files import HOUR
from make_us_rich.exchange import BinanceClient, Retries
from make_us_rich.replay import Clock, Faults, ReplayServer, SimulatedMarket
from serving.forecasts.candles import CandleCache

from ..conftest import NOW, TEN, Stopwatch

Open = Callable[..., CandleCache]


@pytest.fixture
def open_candles(exchange: ReplayServer, stopwatch: Stopwatch) -> Open:
    """Opens the candle cache of an exchange."""

    def open_cache(*pairs: str, min_hours: int = 336) -> CandleCache:
        client = BinanceClient(exchange.url, timeout=60, retries=Retries(max_attempts=1))
        return CandleCache(client, pairs or ("btc_usdt",), lambda _: min_hours, monotonic=stopwatch)

    return open_cache


def requested(exchange: ReplayServer) -> list[str]:
    return [query["symbol"] for path, query in exchange.requests if path.endswith("/klines")]


@pytest.mark.parametrize(("min_hours", "rows"), [(336, 999), (1300, 1300)])
def test_the_newest_closed_candles_are_cached(open_candles: Open, min_hours: int, rows: int) -> None:
    candles = open_candles(min_hours=min_hours)
    candles.refresh()
    cached = candles.get("btc_usdt")

    assert (cached.closed_at, len(cached.frame), candles.problem("btc_usdt")) == (TEN, rows, None)
    assert abs(candles.now() - NOW) < timedelta(minutes=1)
    assert candles.simulated


def test_candles_are_requested_once_an_hour_and_pair(
    open_candles: Open, exchange: ReplayServer, stopwatch: Stopwatch
) -> None:
    candles = open_candles("btc_usdt", "eth_usdt")
    for stopwatch.seconds in range(0, 3600, 600):
        candles.refresh()
    assert requested(exchange) == ["BTCUSDT", "ETHUSDT"]

    exchange.clock.advance(HOUR)
    candles.refresh()
    assert requested(exchange) == ["BTCUSDT", "ETHUSDT"] * 2
    assert candles.get("btc_usdt").closed_at == TEN + HOUR


@pytest.mark.parametrize("kind", ["drop", "451", "418", "429", "5xx", "truncate"])
def test_an_exchange_that_fails_leaves_the_old_candles_and_recovers(
    open_candles: Open, exchange: ReplayServer, stopwatch: Stopwatch, kind: str
) -> None:
    candles = open_candles()
    candles.refresh()
    exchange.clock.advance(HOUR)
    exchange.faults = Faults({kind: 1}, everywhere=True)
    candles.refresh()
    assert candles.get("btc_usdt").closed_at == TEN
    assert candles.problem("btc_usdt")

    exchange.faults = Faults()
    stopwatch.seconds += 3600
    candles.refresh()
    assert (candles.get("btc_usdt").closed_at, candles.problem("btc_usdt")) == (TEN + HOUR, None)


def test_after_a_refusal_no_other_pair_is_requested(open_candles: Open, exchange: ReplayServer) -> None:
    exchange.faults = Faults({"429": 1})
    candles = open_candles("btc_usdt", "eth_usdt")
    candles.refresh()

    assert requested(exchange) == ["BTCUSDT"]
    assert candles.problem("eth_usdt") == candles.problem("btc_usdt") is not None


def test_a_pair_that_fails_is_requested_less_and_less_often(
    open_candles: Open, exchange: ReplayServer, stopwatch: Stopwatch
) -> None:
    exchange.faults = Faults({"5xx": 1})
    candles, moments = open_candles(), []
    for stopwatch.seconds in range(0, 700, 5):
        before = len(requested(exchange))
        candles.refresh()
        moments += [stopwatch.seconds] * (len(requested(exchange)) - before)

    assert moments == [0, 15, 45, 105, 225, 465]


def test_a_pair_that_is_not_traded_does_not_affect_the_others(open_candles: Open) -> None:
    candles = open_candles("nope_usdt", "btc_usdt")
    candles.refresh()

    assert candles.get("btc_usdt") is not None
    assert candles.problem("btc_usdt") is None
    assert "not traded" in str(candles.problem("nope_usdt"))


def test_candles_that_a_response_omits_are_kept(
    open_candles: Open, exchange: ReplayServer, stopwatch: Stopwatch
) -> None:
    candles = open_candles()
    candles.refresh()
    exchange.clock.advance(HOUR)
    exchange.faults = Faults({"gaps": 0.3})
    for _ in range(3):
        candles.refresh()
        stopwatch.seconds += 3600
    assert len(candles.get("btc_usdt").frame) >= 998

    exchange.clock.advance(HOUR)
    exchange.faults = Faults({"gaps": 1})
    candles.refresh()
    assert "no usable candle" in str(candles.problem("btc_usdt"))
    assert candles.get("btc_usdt") is not None


def test_candles_of_another_market_replace_the_old_ones(open_candles: Open, exchange: ReplayServer) -> None:
    candles = open_candles()
    candles.refresh()
    before = candles.get("btc_usdt").frame
    exchange.stop()
    with ReplayServer(SimulatedMarket(seed=7), clock=Clock(NOW + HOUR, speed=0), port=exchange.port):
        candles.refresh()

    both = before.merge(candles.get("btc_usdt").frame, on="timestamp")
    assert (both["close_x"] != both["close_y"]).all()
