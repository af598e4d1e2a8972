"""The budget that all processes of a machine share."""

import json
import multiprocessing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.domain.errors import RateLimitedError
from make_us_rich.exchange import BinanceClient, Retries
from make_us_rich.exchange.budget import FOLDER_VARIABLE, WINDOW_SECONDS, Budget, runtime_folder
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket

URL = "https://api.binance.com"
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


def budget(folder: Path, time: Time, limit: int = 10, url: str = URL) -> Budget:
    return Budget(url, limit, folder=folder, clock=time, sleep=time.sleep)


def test_what_fits_does_not_wait(tmp_path: Path) -> None:
    time = Time()
    for _ in range(5):
        budget(tmp_path, time).spend(2)
    assert time.slept == []


def test_what_does_not_fit_waits_until_the_oldest_is_forgotten(tmp_path: Path) -> None:
    time = Time()
    budget(tmp_path, time).spend(4)
    time.sleep(20.0)
    budget(tmp_path, time).spend(6)
    time.slept.clear()
    budget(tmp_path, time).spend(2)
    assert time.slept == [WINDOW_SECONDS - 20.0]


def test_another_exchange_has_a_count_of_its_own(tmp_path: Path) -> None:
    time = Time()
    budget(tmp_path, time).spend(10)
    budget(tmp_path, time, url="https://data-api.binance.vision").spend(10)
    assert time.slept == []


def test_a_smaller_share_is_kept_free_for_whoever_may_take_all(tmp_path: Path) -> None:
    time = Time()
    budget(tmp_path, time, limit=6).spend(6)
    budget(tmp_path, time, limit=10).spend(2)
    assert time.slept == []


def test_what_others_have_asked_from_the_same_address_counts(tmp_path: Path) -> None:
    time = Time()
    one = budget(tmp_path, time)
    one.spend(1)
    one.learn("9")
    one.spend(2)
    assert sum(time.slept) == WINDOW_SECONDS


@pytest.mark.parametrize("header", [None, "", "many", "0"])
def test_an_answer_that_tells_no_more_changes_nothing(tmp_path: Path, header: str | None) -> None:
    time = Time()
    one = budget(tmp_path, time)
    one.spend(2)
    one.learn(header)
    one.spend(8)
    assert time.slept == []


def test_one_request_that_is_heavier_than_the_limit_is_sent_alone(tmp_path: Path) -> None:
    time = Time()
    budget(tmp_path, time, limit=10).spend(40)
    assert time.slept == []


def test_a_count_that_cannot_be_read_is_begun_again(tmp_path: Path) -> None:
    time = Time()
    budget(tmp_path, time).spend(10)
    (file,) = tmp_path.iterdir()
    file.write_text('{"17')
    budget(tmp_path, time).spend(10)
    assert time.slept == []
    assert json.loads(file.read_text()) == {"1000000": 10}


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


def test_the_folder_is_one_of_this_user_or_the_one_that_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert runtime_folder() == tmp_path
    monkeypatch.delenv(FOLDER_VARIABLE)
    assert runtime_folder().name.startswith("make-us-rich-")


def ask(url: str, folder: str, limit: int, calls: int, answered: "multiprocessing.Queue[str]") -> None:
    """A process that asks for candles and is never patient."""
    client = BinanceClient(url, retries=Retries(tries=1), budget=Budget(url, limit, folder=Path(folder), sleep=_leave))
    try:
        for _ in range(calls):
            client.klines("btc_usdt", NOW - timedelta(hours=3), NOW)
            answered.put("answered")
    except _FullError:
        answered.put("waits")
    except RateLimitedError:
        answered.put("refused")


class _FullError(Exception):
    """Instead of waiting for the minute to pass."""


def _leave(seconds: float) -> None:
    raise _FullError


@pytest.mark.parametrize(("limit", "ends"), [(60, {"waits"}), (10_000, {"refused"})], ids=["one budget", "none"])
def test_processes_together_never_ask_for_more_than_the_exchange_answers(
    tmp_path: Path, limit: int, ends: set[str]
) -> None:
    """Four processes want 160 of a minute's 60: with the budget nobody is refused, without it somebody is."""
    context = multiprocessing.get_context("spawn")
    answered = context.Queue()
    with ReplayServer(SimulatedMarket(1), Clock(NOW, speed=0), weight_limit=60) as server:
        arguments = (server.url, str(tmp_path), limit, 20, answered)
        askers = [context.Process(target=ask, args=arguments) for _ in range(4)]
        for asker in askers:
            asker.start()
        told = [answered.get(timeout=120)]
        while any(asker.is_alive() for asker in askers) or not answered.empty():
            if not answered.empty():
                told.append(answered.get())
        for asker in askers:
            asker.join()
    assert set(told) - {"answered"} == ends
