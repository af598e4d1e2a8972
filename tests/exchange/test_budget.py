"""The budget that all processes of a machine share."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.domain.errors import RateLimitedError
from make_us_rich.exchange import BinanceClient, Retries
from make_us_rich.exchange.budget import WINDOW_SECONDS, Budget
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now: float = 1_000_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def budget(folder: Path, time: Time, url: str = "https://api.binance.com") -> Budget:
    return Budget(url, 10, folder=folder, clock=time, sleep=time.sleep)


def test_what_others_have_asked_from_the_same_address_counts(tmp_path: Path) -> None:
    time = Time()
    one = budget(tmp_path, time)
    one.spend(1)
    one.learn("9")
    one.spend(2)
    assert sum(time.slept) == WINDOW_SECONDS


def test_a_heavier_request_is_sent_alone_and_a_count_that_cannot_be_read_is_begun_again(tmp_path: Path) -> None:
    time = Time()
    budget(tmp_path, time).spend(40)
    (file,) = tmp_path.iterdir()
    file.write_text('{"17')
    budget(tmp_path, time).spend(10)
    assert time.slept == []
    assert json.loads(file.read_text())["weights"] == {"1000000": 10}


def test_refusal_is_shared_and_the_longest_one_holds(tmp_path: Path) -> None:
    time = Time()
    budget(tmp_path, time).refuse(418, 100)
    budget(tmp_path, time).refuse(429, 10)
    assert budget(tmp_path, time).refusal(max_wait=60) == (418, 100)
    assert budget(tmp_path, time, url="https://data-api.binance.vision").refusal(max_wait=60) is None
    time.now += 50
    assert budget(tmp_path, time).refusal(max_wait=60) is None
    assert time.slept == [50]


@given(st.lists(st.tuples(st.integers(1, 6), st.floats(0, 30)), max_size=60))
def test_no_minute_holds_more_than_the_limit(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[int, float]]
) -> None:
    time, sent = Time(), list[tuple[float, int]]()
    one = budget(tmp_path_factory.mktemp("budget"), time)
    for weight, pause in asked:
        time.now += pause
        one.spend(weight)
        sent.append((time.now, weight))
    for begin, _ in sent:
        assert sum(weight for at, weight in sent if begin <= at < begin + 60) <= 10


def leave(seconds: float) -> None:
    """Instead of waiting for the minute to pass."""
    raise TimeoutError


def ask(url: str, folder: str) -> str:
    """A process that wants candles twenty times and never waits."""
    budget = Budget(url, 60, folder=Path(folder), sleep=leave)
    client = BinanceClient(url, retries=Retries(max_attempts=1), budget=budget)
    try:
        for _ in range(20):
            client.klines("btc_usdt", NOW - timedelta(hours=3), NOW)
    except (TimeoutError, RateLimitedError) as exc:
        return type(exc).__name__
    return "done"


def test_processes_together_never_exceed_the_limit_of_the_exchange(tmp_path: Path) -> None:
    """Four processes want 160 of a minute's 60: nobody is refused, and at least one waits."""
    processes = ProcessPoolExecutor(4, multiprocessing.get_context("spawn"))
    with ReplayServer(SimulatedMarket(1), Clock(NOW, speed=0), weight_limit=60) as server, processes as pool:
        results = set(pool.map(ask, [server.url] * 4, [str(tmp_path)] * 4))
    assert "RateLimitedError" not in results
    assert "TimeoutError" in results
