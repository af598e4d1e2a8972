"""A replay exchange on a free port, and the real client of it, which notes its waits instead of sleeping."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from make_us_rich.exchange import BinanceClient, Retries
from make_us_rich.exchange.budget import FOLDER_VARIABLE, Budget
from make_us_rich.replay import ReplayServer, SimulatedMarket

NOW = datetime(2025, 5, 14, 10, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def simulated_market() -> SimulatedMarket:
    """One simulated market for all."""
    return SimulatedMarket(seed=3)


@pytest.fixture
def exchange(serve: Callable[..., ReplayServer], simulated_market: SimulatedMarket) -> Callable[..., ReplayServer]:
    """Start exchanges of the simulated market whose clocks stand at 10:30."""
    return partial(serve, simulated_market, NOW)


@pytest.fixture
def waits() -> list[float]:
    """The seconds that clients would have slept."""
    return []


@pytest.fixture(autouse=True)
def own_runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals and counts of one test never meet another one that has its port."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "runtime"))


@pytest.fixture
def client_of(waits: list[float]) -> Callable[..., BinanceClient]:
    """The real client of an exchange; its time passes only while it waits."""

    def connect(server: ReplayServer | str, timeout: float = 10.0, **options: Any) -> BinanceClient:
        url = server if isinstance(server, str) else server.url
        budget = Budget(url, clock=lambda: NOW.timestamp() + sum(waits), sleep=waits.append)
        return BinanceClient(url, timeout=timeout, retries=Retries(**options), budget=budget)

    return connect
