"""The API on a real database, a published model and a replay exchange, in this process."""

import secrets
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from make_us_rich.client.schemas import Registration
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket
from processes import PASSWORD
from serving.accounts import users
from serving.accounts.tables import MEMBER
from serving.forecasts.service import ForecastService
from serving.main import create_app
from serving.settings import Settings

from ..conftest import NOW, Place, forecast_service

with warnings.catch_warnings():
    # It would rather have httpx2, which nothing here needs.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

PREDICT = "/api/v1/predict?currency=btc&compare=usdt"
QUICK = {"password_memory_kib": 8, "database_seconds": 60, "registrations": 10_000, "env": "local"}


@dataclass
class Api:
    """The API, as a client sees it, and what it serves."""

    client: TestClient
    service: ForecastService
    place: Place
    exchange: ReplayServer

    def register(self, *roles: str) -> Registration:
        """A user with these roles beside that of a member."""
        accounts, call = self.client.app.state.accounts, self.client.portal.call
        new: Registration = call(accounts.register, f"ada-{secrets.token_hex(4)}", PASSWORD, "here")
        if roles:
            call(accounts.database.write, lambda session: users.set_roles(session, new.name, {MEMBER, *roles}))
        return new

    def bearer(self, *roles: str) -> dict[str, str]:
        """A header with the API token of a new user."""
        return {"Authorization": f"Bearer {self.register(*roles).api_token}"}

    def poor(self, limit: int) -> dict[str, str]:
        """A header with the API token of a new user of so many calls a month."""
        new, database = self.register(), self.client.app.state.accounts.database
        database.transact(lambda session: setattr(users.get(session, new.name), "monthly_limit", limit))
        return {"Authorization": f"Bearer {new.api_token}"}


@contextmanager
def running_api(place: Place, exchange: ReplayServer, url: str, *pairs: str, **settings: object) -> Iterator[Api]:
    """The API with the forecasts of the pairs; it refreshes on its own at the start alone."""
    service = forecast_service(place, exchange, *pairs)
    seldom = {"models_seconds": 3600, "candles_seconds": 3600}
    app = create_app(Settings(database_url=url, **(QUICK | seldom | settings)), service)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Api(client, service, place, exchange)


@pytest.fixture(scope="session")
def open_api(
    make_place: Callable[..., Place], new_database: Callable[..., str], market: SimulatedMarket
) -> Callable[..., AbstractContextManager[Api]]:
    """Opens the API on a project of a kind, an exchange and a database of its own."""

    @contextmanager
    def opened(*pairs: str, kind: str = "folder", **settings: object) -> Iterator[Api]:
        with (
            ReplayServer(market, clock=Clock(NOW, speed=0)) as exchange,
            running_api(make_place(kind), exchange, new_database(), *pairs, **settings) as started,
        ):
            yield started

    return opened


@pytest.fixture(scope="session")
def api(open_api: Callable[..., AbstractContextManager[Api]]) -> Iterator[Api]:
    """The API with a forecast of btc_usdt and without a model of eth_usdt, for tests that change their users only."""
    with open_api("btc_usdt", "eth_usdt") as started:
        yield started


@pytest.fixture
def start_api(place: Place, exchange: ReplayServer, postgres_url: str) -> Iterator[Callable[..., Api]]:
    """Start the API on the project; it ends with the test."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running_api(place, exchange, postgres_url, **settings))
