"""The API on a published model, the interface in front of it, and a real browser; each started once."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conftest import free_port
from interface_process import InterfaceProcess
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket
from serving_process import ApiProcess
from synthetic import VERSION, lay_out, store

NOW = datetime(2025, 3, 1, 10, 30, tzinfo=UTC)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class Site:
    """The interface and the API behind it."""

    interface: InterfaceProcess
    api: ApiProcess


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A model for btc_usdt, none for eth_usdt, and an exchange whose clock stands at half past ten."""
    project = lay_out(tmp_path_factory.mktemp("site"))
    store(project, VERSION)
    (project / "conf/local/parameters.yml").write_text("pairs: [btc_usdt, eth_usdt]\n")
    with ReplayServer(SimulatedMarket(seed=42), clock=Clock(NOW, speed=0)) as exchange:
        api = ApiProcess(project, free_port(), _settings(project, exchange.url)).start()
        interface = InterfaceProcess(project, free_port(), api.url)
        try:
            yield Site(interface.start(), api)
        finally:
            interface.stop()
            api.stop()


def _settings(project: Path, exchange_url: str) -> dict[str, str]:
    return {
        "EXCHANGE_URL": exchange_url,
        "DATABASE_URL": f"sqlite:///{project / 'accounts.db'}",
        "MODELS_SECONDS": "0.5",
        "CANDLES_SECONDS": "0.5",
        "PASSWORD_MEMORY_KIB": "8",
        "REGISTRATIONS": "1000",
    }


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real browser."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium: make system-packages installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield started
        started.close()
