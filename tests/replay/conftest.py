"""Plain HTTP, and small markets of made-up candles."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from make_us_rich.replay import ReplayServer, SimulatedMarket

FIRST_MS = int(datetime(2024, 2, 28, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def hours_folder(tmp_path: Path) -> Path:
    """AAAUSDT: 100 hours from 2024-02-28, and BBBUSDT: 10; all numbers of a line differ, so that a mix-up shows."""
    for symbol, hours in (("AAAUSDT", 100), ("BBBUSDT", 10)):
        lines = []
        for hour in range(hours):
            opened, price = FIRST_MS + hour * 3_600_000, 100 + hour % 37
            prices = f"{price}.10,{price + 2}.5000,{price - 2}.25,{price + 1}.00,{price}.123456789012"
            lines.append(f"{opened},{prices},{opened + 3_599_999},{price}000.5,{price},{price}.01,{price}.02,0\n")
        (tmp_path / f"{symbol}-1h.csv").write_text("".join(lines))
    return tmp_path


@pytest.fixture
def get() -> Iterator[Callable[..., requests.Response]]:
    """Plain HTTP on one kept connection."""
    with requests.Session() as session:

        def ask(server: ReplayServer, endpoint: str, **query: Any) -> requests.Response:
            return session.get(f"{server.url}/api/v3/{endpoint}", params=query, timeout=5)

        yield ask


@pytest.fixture(scope="session")
def simulated() -> SimulatedMarket:
    """One simulated market for all tests that only look at it."""
    return SimulatedMarket(seed=7)
