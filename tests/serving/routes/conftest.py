"""The API on a real database, a published model and a replay exchange."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from conftest import free_port
from make_us_rich.replay import ReplayServer
from places import Place
from serving.accounts import users
from serving.accounts.accounts import Attempted, LoggedIn
from serving.accounts.tables import MEMBER
from serving.app import create_app
from serving.settings import Settings
from serving.store.stores import Stores
from serving_process import PATIENCE, ApiProcess

with warnings.catch_warnings():
    # It would rather have httpx2, which nothing here needs.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient


@dataclass
class Api:
    """The API, as a client sees it."""

    client: TestClient
    stores: Stores

    def register(self, name: str = "ada", *roles: str) -> LoggedIn:
        """A user with these roles beside that of a member."""
        accounts, call = self.client.app.state.accounts, self.client.portal.call
        new: LoggedIn = call(accounts.register, Attempted(name, "engine-of-1843", "here"))
        if roles:
            call(accounts.database.write, lambda session: users.set_roles(session, name, {MEMBER, *roles}))
        return new

    def bearer(self, name: str = "ada", *roles: str) -> dict[str, str]:
        """A header with the API token of a new user."""
        return {"Authorization": f"Bearer {self.register(name, *roles).api_token}"}


@pytest.fixture
def api_of(stores_of: Callable[..., Stores], place: Place) -> Iterator[Callable[..., Api]]:
    """Start the API; it ends with the test. Nothing is refreshed on its own but at the start."""
    with ExitStack() as stack:

        def start(*pairs: str, **settings: object) -> Api:
            quick = {"password_memory_kib": 8, "models_seconds": 3600, "candles_seconds": 3600, "env": "local"}
            stores = stores_of(*pairs)
            app = create_app(Settings(database_url=place.database_url, **(quick | settings)), stores)
            client = stack.enter_context(TestClient(app, raise_server_exceptions=False))
            return Api(client, stores)

        yield start


@pytest.fixture
def api(api_of: Callable[..., Api]) -> Api:
    """The API with a forecast of btc_usdt."""
    started = api_of()
    started.stores.refresh_models()
    started.stores.refresh_candles()
    return started


@pytest.fixture
def process_of(place: Place, exchange: ReplayServer) -> Iterator[Callable[..., ApiProcess]]:
    """The API as a process, not started yet; ended with the test."""
    made: list[ApiProcess] = []

    def make(**settings: object) -> ApiProcess:
        quick = {"models_seconds": 0.2, "candles_seconds": 0.2, "heartbeat_seconds": 0.3, "password_memory_kib": 8}
        known = {"exchange_url": exchange.url, "database_url": place.database_url, **quick, **settings}
        variables = {name.upper(): str(value) for name, value in known.items()}
        made.append(ApiProcess(place.project, free_port(), variables))
        return made[-1]

    yield make
    for api in made:
        if api.process is not None and api.process.poll() is None:
            api.process.kill()
            api.process.wait(timeout=PATIENCE)
