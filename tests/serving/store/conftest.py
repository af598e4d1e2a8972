"""A project with a published model, and the store that serves it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from make_us_rich.catalog import open_catalog
from make_us_rich.exchange import BinanceClient, Retries
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket
from serving.store.store import ModelsStore
from serving.store.stores import Stores
from synthetic import STARTED, VERSION, lay_out, store

NOW = datetime(2025, 3, 1, 10, 30, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one published version of btc_usdt."""
    store(lay_out(tmp_path), VERSION)
    return tmp_path


@pytest.fixture
def models_of() -> Callable[..., ModelsStore]:
    """The models store of a project."""

    def open_models(project: Path, *pairs: str, now: datetime = STARTED + timedelta(days=1)) -> ModelsStore:
        return ModelsStore(open_catalog("base", project), pairs or ("btc_usdt",), clock=lambda: now)

    return open_models


@pytest.fixture(scope="session")
def market() -> SimulatedMarket:
    """One simulated market for all."""
    return SimulatedMarket(seed=42)


@pytest.fixture
def exchange(market: SimulatedMarket) -> Iterator[ReplayServer]:
    """An exchange whose clock stands at half past ten."""
    with ReplayServer(market, clock=Clock(NOW, speed=0)) as server:
        yield server


@pytest.fixture
def stores_of(project: Path, exchange: ReplayServer) -> Callable[..., Stores]:
    """Models, candles and forecasts of the project and the exchange."""

    def open_stores(*pairs: str) -> Stores:
        client = BinanceClient(exchange.url, timeout=1, retries=Retries(tries=1))
        return Stores.of(open_catalog("base", project), client, pairs or ("btc_usdt",))

    return open_stores
