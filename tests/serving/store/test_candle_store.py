"""The candle store, against the real replay exchange: once an hour and pair, the last good ones kept."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from make_us_rich.exchange import BinanceClient, Retries
from make_us_rich.replay import Clock, Faults, ReplayServer, SimulatedMarket
from serving.store.candles import CandleStore

NOW = datetime(2025, 3, 1, 10, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
TEN = datetime(2025, 3, 1, 10, tzinfo=UTC)


@dataclass
class Seconds:
    """A stopwatch that a test moves."""

    passed: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.passed


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


Open = Callable[..., CandleStore]


@pytest.fixture
def candles_of(exchange: ReplayServer, seconds: Seconds) -> Open:
    """The candle store of an exchange."""

    def open_candles(*pairs: str, depth: int = 336) -> CandleStore:
        client = BinanceClient(exchange.url, timeout=60, retries=Retries(tries=1, sleep=seconds.slept.append))
        return CandleStore(client, pairs or ("btc_usdt",), lambda _: depth, monotonic=seconds)

    return open_candles


def asked(exchange: ReplayServer) -> list[str]:
    return [query["symbol"] for path, query in exchange.requests if path.endswith("/klines")]


def test_the_newest_closed_candles_are_there(candles_of: Open) -> None:
    candles = candles_of()
    candles.refresh()

    there = candles.get("btc_usdt")
    assert there is not None
    assert (there.closed_at, len(there.frame)) == (TEN, 999)
    assert candles.problems == {}


def test_more_are_asked_for_where_a_model_needs_more(candles_of: Open) -> None:
    candles = candles_of(depth=1300)
    candles.refresh()

    there = candles.get("btc_usdt")
    assert there is not None
    assert len(there.frame) == 1300


def test_they_are_asked_for_once_an_hour_and_pair(candles_of: Open, exchange: ReplayServer, seconds: Seconds) -> None:
    candles = candles_of("btc_usdt", "eth_usdt")
    for passed in range(0, 3600, 600):
        seconds.passed = passed
        candles.refresh()
    assert asked(exchange) == ["BTCUSDT", "ETHUSDT"]

    exchange.clock.advance(HOUR)
    candles.refresh()
    assert asked(exchange) == ["BTCUSDT", "ETHUSDT"] * 2
    there = candles.get("btc_usdt")
    assert there is not None
    assert there.closed_at == TEN + HOUR


def test_the_time_is_the_exchanges(candles_of: Open) -> None:
    candles = candles_of()
    candles.refresh()

    assert abs(candles.now() - NOW) < timedelta(minutes=1)


@pytest.mark.parametrize("kind", ["drop", "451", "418", "429", "5xx", "truncate"])
def test_an_exchange_that_fails_leaves_the_old_ones_and_recovers(
    candles_of: Open, exchange: ReplayServer, seconds: Seconds, kind: str
) -> None:
    candles = candles_of()
    candles.refresh()
    exchange.clock.advance(HOUR)
    exchange.faults = Faults({kind: 1}, everywhere=True)
    candles.refresh()
    there = candles.get("btc_usdt")
    assert there is not None
    assert there.closed_at == TEN
    assert candles.problems.keys() == {"btc_usdt"}

    exchange.faults = Faults()
    seconds.passed += 3600
    candles.refresh()
    there = candles.get("btc_usdt")
    assert there is not None
    assert there.closed_at == TEN + HOUR
    assert candles.problems == {}


def test_an_exchange_that_is_down_at_the_start_is_asked_again(candles_of: Open, exchange: ReplayServer) -> None:
    exchange.stop()
    candles = candles_of()
    candles.refresh()
    assert (candles.get("btc_usdt"), candles.asked) == (None, True)
    assert "cannot be reached" in candles.problems["btc_usdt"]

    exchange.start()
    candles.refresh()
    assert candles.get("btc_usdt") is not None
    assert candles.problems == {}


def test_a_pair_that_fails_is_asked_ever_more_seldom(
    candles_of: Open, exchange: ReplayServer, seconds: Seconds
) -> None:
    exchange.faults = Faults({"5xx": 1})
    candles = candles_of()
    moments = []
    for passed in range(700):
        seconds.passed = passed
        before = len(asked(exchange))
        candles.refresh()
        moments += [passed] * (len(asked(exchange)) - before)

    assert moments == [0, 15, 45, 105, 225, 465]


def test_a_pair_that_is_not_traded_leaves_the_others_alone(candles_of: Open) -> None:
    candles = candles_of("nope_usdt", "btc_usdt")
    candles.refresh()

    assert candles.get("btc_usdt") is not None
    assert candles.problems.keys() == {"nope_usdt"}
    assert "not traded" in candles.problems["nope_usdt"]


def test_what_an_answer_leaves_out_is_kept_from_before(
    candles_of: Open, exchange: ReplayServer, seconds: Seconds
) -> None:
    candles = candles_of()
    candles.refresh()
    exchange.clock.advance(HOUR)
    exchange.faults = Faults({"gaps": 0.3})
    for _ in range(3):
        candles.refresh()
        seconds.passed += 3600

    there = candles.get("btc_usdt")
    assert there is not None
    assert len(there.frame) >= 998


def test_the_candle_that_is_missing_is_named(candles_of: Open, exchange: ReplayServer) -> None:
    candles = candles_of()
    candles.refresh()
    exchange.clock.advance(HOUR)
    exchange.faults = Faults({"gaps": 1})
    candles.refresh()

    assert "no usable candle" in candles.problems["btc_usdt"]
    assert candles.get("btc_usdt") is not None


def test_candles_of_another_market_take_the_place_of_the_old_ones(
    candles_of: Open, exchange: ReplayServer, market: SimulatedMarket
) -> None:
    candles = candles_of()
    candles.refresh()
    before = candles.get("btc_usdt")
    exchange.stop()
    with ReplayServer(SimulatedMarket(seed=7), clock=Clock(NOW + HOUR, speed=0), port=exchange.port):
        candles.refresh()

    after = candles.get("btc_usdt")
    assert before is not None
    assert after is not None
    both = before.frame.merge(after.frame, on="timestamp")
    assert (both["close_x"] != both["close_y"]).all()
