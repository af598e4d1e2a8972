"""Servers on free ports, the real python-binance client, and small markets of made-up candles."""

import asyncio
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from make_us_rich.replay import Clock, FolderMarket, ReplayServer, SimulatedMarket

with warnings.catch_warnings():
    # python-binance imports a name that websockets has deprecated; the test run would stop at it.
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance.client import Client

HOUR_MS = 3_600_000
FIRST = datetime(2024, 2, 28, tzinfo=UTC)
FIRST_MS = int(FIRST.timestamp() * 1000)


def _line(opened: int, price: int = 100, closes: int | None = None) -> str:
    """One line of a kline file; every number differs from the others, so that a mix-up shows."""
    texts = [
        f"{price}.10",
        f"{price + 2}.5000",
        f"{price - 2}.25",
        f"{price + 1}.00",
        f"{price}.123456789012",
    ]
    close_time = opened + HOUR_MS - 1 if closes is None else closes
    return ",".join(
        [str(opened), *texts, str(close_time), f"{price}000.5", str(price), f"{price}.01", f"{price}.02", "0"]
    )


def _write_hours(path: Path, hours: int, first: int = FIRST_MS) -> Path:
    """A file of candles in a row."""
    lines = [_line(first + hour * HOUR_MS, 100 + hour % 37) for hour in range(hours)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def line() -> Callable[..., str]:
    """Makes one line of a kline file."""
    return _line


@pytest.fixture(scope="session")
def write_hours() -> Callable[..., Path]:
    """Writes a file of candles in a row."""
    return _write_hours


@pytest.fixture
def hours_folder(tmp_path: Path) -> Path:
    """AAAUSDT: 100 hours from 2024-02-28, and BBBUSDT: 10."""
    _write_hours(tmp_path / "AAAUSDT-1h.csv", 100)
    _write_hours(tmp_path / "BBBUSDT-1h.csv", 10)
    return tmp_path


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The event loop that even the synchronous client asks for."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def serve() -> Iterator[Callable[..., ReplayServer]]:
    """Start servers that end with the test; a folder stands for its market, and clocks stand still."""
    with ExitStack() as stack:

        def start(market: Any, now: datetime | None = None, **options: Any) -> ReplayServer:
            market = FolderMarket(market) if isinstance(market, Path) else market
            options.setdefault("clock", Clock(now or market.default_now(), speed=0))
            return stack.enter_context(ReplayServer(market, **options))

        yield start


@pytest.fixture
def binance(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[[ReplayServer], Client]]:
    """Unmodified python-binance clients of a server."""
    with ExitStack() as stack:

        def connect(server: ReplayServer) -> Client:
            client = Client(ping=False, requests_params={"timeout": 5})
            client.API_URL = f"{server.url}/api"
            stack.callback(client.close_connection)
            return client

        yield connect


@pytest.fixture
def get() -> Iterator[Callable[..., requests.Response]]:
    """Plain HTTP on one kept connection."""
    with requests.Session() as session:

        def ask(server: ReplayServer, question: str, **query: Any) -> requests.Response:
            return session.get(f"{server.url}/api/v3/{question}", params=query, timeout=5)

        yield ask


@pytest.fixture(scope="session")
def simulated() -> SimulatedMarket:
    """One simulated market for all tests that only look at it."""
    return SimulatedMarket(seed=7)
