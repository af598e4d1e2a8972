"""The API with a published model, started once, and people who use it."""

import secrets
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from interface.api_client import ApiClient
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket
from published_api import NOW, PASSWORD, make_admin, published_api
from serving_process import ApiProcess

with warnings.catch_warnings():
    # It would rather have httpx2, which nothing here needs.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit's harness puts its script in the place of the main module; processes of later tests would run it."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """The API as a process."""
    with published_api(tmp_path_factory.mktemp("api")) as started:
        yield started


@pytest.fixture
def client_at() -> Iterator[Callable[..., ApiClient]]:
    """Clients of an API at an address, closed with the test."""
    with ExitStack() as stack:

        def make(url: str, seconds: float = 20) -> ApiClient:
            client = ApiClient.at(url, seconds)
            stack.callback(client.http.close)
            return client

        yield make


@pytest.fixture
def anybody(api: ApiProcess, client_at: Callable[..., ApiClient]) -> ApiClient:
    """The API, asked by nobody yet."""
    return client_at(api.url)


@pytest.fixture
def name() -> str:
    """A name that nobody has."""
    return f"ada-{secrets.token_hex(4)}"


@pytest.fixture
def member(anybody: ApiClient, name: str) -> ApiClient:
    """The API, asked by a new member."""
    return anybody.as_user(anybody.register(name, PASSWORD).login_token)


@pytest.fixture
def admin(member: ApiClient, name: str, api: ApiProcess) -> ApiClient:
    """The API, asked by an admin."""
    make_admin(api, name)
    return member


@pytest.fixture
def no_api() -> Iterator[str]:
    """A server that speaks HTTP and something else."""
    with ReplayServer(SimulatedMarket(seed=42), clock=Clock(NOW, speed=0)) as exchange:
        yield exchange.url


@pytest.fixture
def asking() -> Iterator[Callable[[Any], TestClient]]:
    """Clients of an application in this process, closed with the test."""
    with ExitStack() as stack:
        yield lambda application: stack.enter_context(TestClient(application))
