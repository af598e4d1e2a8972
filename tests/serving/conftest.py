"""A real PostgreSQL, databases of both kinds, and a project with a published model beside an exchange."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import S3Server
from make_us_rich.catalog import open_catalog
from make_us_rich.exchange import BinanceClient, Retries
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket
from places import Place
from postgres_server import PostgresServer, missing_programs, new_server
from serving.accounts import schema
from serving.accounts.database import make_engine
from serving.accounts.settings import AccountsSettings
from serving.store.store import ModelsStore
from serving.store.stores import Stores
from synthetic import STARTED, VERSION, lay_out, store


def _new_server() -> Iterator[PostgresServer]:
    """A started server; thrown away afterwards."""
    if missing := missing_programs():
        pytest.skip(f"no PostgreSQL: {' and '.join(missing)} not installed")
    with new_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server for the session, with a template that has the tables."""
    for server in _new_server():
        server.run("CREATE DATABASE ready")
        _migrate(server.url("ready"))
        yield server


@pytest.fixture
def postgres_of_its_own() -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    for server in _new_server():
        server.run("CREATE DATABASE accounts")
        _migrate(server.url("accounts"))
        yield server


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> str:
    """A database without tables."""
    return _database(postgres_server, "template0")


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """A database with the tables, and nobody in it."""
    return _database(postgres_server, "ready")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables, and nobody in it."""
    path = tmp_path_factory.mktemp("sqlite") / "ready.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A file with the tables, and nobody in it."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'accounts.db')}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each kind of database, with the tables, and nobody in it."""
    url: str = request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param])
    return url


def _database(server: PostgresServer, template: str) -> str:
    name = f"test_{secrets.token_hex(6)}"
    server.run(f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.url(name)


def _migrate(url: str) -> None:
    engine = make_engine(AccountsSettings(database_url=url))
    schema.migrate(engine)
    engine.dispose()


NOW = datetime(2025, 3, 1, 10, 30, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one published version of btc_usdt."""
    store(lay_out(tmp_path), VERSION)
    return tmp_path


@pytest.fixture
def models_of() -> Callable[..., ModelsStore]:
    """The models store of a place."""

    def open_models(place: Place, *pairs: str, now: datetime = STARTED + timedelta(days=1)) -> ModelsStore:
        return ModelsStore(open_catalog("local", place.project), pairs or ("btc_usdt",), clock=lambda: now)

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
def files(project: Path, sqlite_url: str) -> Place:
    """The project's own folder, and SQLite."""
    return Place(project, sqlite_url)


@pytest.fixture
def servers(project: Path, postgres_url: str, s3_server: S3Server, shared_bucket: str) -> Place:
    """A bucket, and PostgreSQL."""
    return _in_bucket(project, postgres_url, s3_server, shared_bucket)


@pytest.fixture
def bucket_alone(project: Path, sqlite_url: str, s3_server: S3Server, shared_bucket: str) -> Place:
    """A bucket, where accounts do not matter."""
    return _in_bucket(project, sqlite_url, s3_server, shared_bucket)


def _in_bucket(project: Path, database_url: str, server: S3Server, bucket: str) -> Place:
    root = f"s3://{bucket}/{secrets.token_hex(6)}"
    place = Place(project, database_url, root, server.credentials())
    place.send()
    return place


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """Files, unless a test asks for servers."""
    chosen: Place = request.getfixturevalue(getattr(request, "param", "files"))
    chosen.configure()
    return chosen


@pytest.fixture
def stores_of(place: Place, exchange: ReplayServer) -> Callable[..., Stores]:
    """Models, candles and forecasts of the project and the exchange."""

    def open_stores(*pairs: str) -> Stores:
        client = BinanceClient(exchange.url, timeout=60, retries=Retries(tries=1))
        return Stores.of(open_catalog("local", place.project), client, pairs or ("btc_usdt",))

    return open_stores
