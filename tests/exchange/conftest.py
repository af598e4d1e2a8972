"""A replay exchange on a free port, and the real client of it, which notes its waits instead of sleeping."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from make_us_rich.exchange import BinanceClient, Retries
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket

NOW = datetime(2025, 5, 14, 10, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def simulated_market() -> SimulatedMarket:
    """One simulated market for all."""
    return SimulatedMarket(seed=3)


@pytest.fixture
def exchange(simulated_market: SimulatedMarket) -> Iterator[Callable[..., ReplayServer]]:
    """Start exchanges that end with the test; unless told otherwise the clock stands at 10:30."""
    with ExitStack() as stack:

        def start(market: Any = simulated_market, now: datetime = NOW, **options: Any) -> ReplayServer:
            return stack.enter_context(ReplayServer(market, clock=Clock(now, speed=0), **options))

        yield start


@pytest.fixture
def waits() -> list[float]:
    """The seconds that clients would have slept."""
    return []


@pytest.fixture
def client_of(waits: list[float]) -> Callable[..., BinanceClient]:
    """The real client of an exchange."""

    def connect(server: ReplayServer | str, timeout: float = 10.0, **options: Any) -> BinanceClient:
        retries = Retries(sleep=waits.append, clock=lambda: NOW, **options)
        url = server if isinstance(server, str) else server.url
        return BinanceClient(url, timeout=timeout, retries=retries)

    return connect
