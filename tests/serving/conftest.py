"""A real PostgreSQL, and a project with a published model, in a folder or a bucket, beside an exchange."""

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import s3fs
from sqlalchemy import text

from make_us_rich.exchange import BinanceClient, Retries
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket
from make_us_rich.repository import ModelRepository
from postgres_server import PostgresServer, missing_programs, new_server
from serving.accounts.database import make_engine, migrate
from serving.accounts.tables import Base
from serving.forecasts.service import ForecastService
from serving.settings import Settings
from synthetic import VERSION, lay_out, store

TEN = datetime(2025, 3, 1, 10, tzinfo=UTC)
NOW = TEN.replace(minute=30)


def _migrate(url: str) -> None:
    engine = make_engine(Settings(database_url=url))
    migrate(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server with the database ``ready``, which has the tables."""
    if missing := missing_programs():
        pytest.skip(f"no PostgreSQL: {' and '.join(missing)} not installed")
    with new_server() as server:
        server.run("CREATE DATABASE ready")
        _migrate(server.url("ready"))
        yield server


@pytest.fixture
def stoppable_postgres(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """The server, which is started again after the test."""
    yield postgres_server
    if not (postgres_server.folder / "data/postmaster.pid").exists():
        postgres_server.start()


@pytest.fixture(scope="session")
def new_database(postgres_server: PostgresServer) -> Callable[..., str]:
    """Makes PostgreSQL databases, with the tables and nobody in it."""

    def make(template: str = "ready") -> str:
        name = f"test_{secrets.token_hex(6)}"
        postgres_server.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return postgres_server.url(name)

    return make


@pytest.fixture
def empty_postgres_url(new_database: Callable[..., str]) -> str:
    """A database without tables."""
    return new_database("template0")


@pytest.fixture(scope="session")
def shared_database(new_database: Callable[..., str]) -> str:
    """A database for all tests, one after the other; a new one for each would be thousands of files."""
    return new_database()


@pytest.fixture
def postgres_url(shared_database: str) -> str:
    """A database with the tables, and nobody in it."""
    engine, tables = make_engine(Settings(database_url=shared_database)), set(Base.metadata.tables) - {"roles"}
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE"))
        connection.execute(text("UPDATE roles SET monthly_limit = NULL"))
    engine.dispose()
    return shared_database


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables, and nobody in it."""
    path = tmp_path_factory.mktemp("sqlite") / "ready.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A copy of the template."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'accounts.db')}"


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with the tables, and nobody in it: PostgreSQL, unless a test is for both kinds."""
    url: str = request.getfixturevalue(getattr(request, "param", "postgres_url"))
    return url


@dataclass
class Place:
    """A project with its store, which is the folder ``data`` or an address in a bucket."""

    project: Path
    root: str = "data"
    credentials: dict[str, Any] = field(default_factory=dict)

    def publish(self, version: str) -> None:
        """Make a version the champion of btc_usdt."""
        store(self.project, version)
        self.send()

    def send(self) -> None:
        """Make the bucket hold what the folder holds, and nothing else."""
        if not self.root.startswith("s3://"):
            return
        fs, folder = s3fs.S3FileSystem(**self.credentials), self.project / "data"
        content = {f"{self.root}/{path.relative_to(folder)}": path for path in folder.rglob("*") if path.is_file()}
        for name in set(fs.find(f"{self.root}/")) - {name.removeprefix("s3://") for name in content}:
            fs.rm_file(name)
        for name, path in content.items():
            fs.pipe_file(name, path.read_bytes())

    def configure(self) -> None:
        """Write ``conf/local``."""
        written = {
            "globals.yml": {"root": self.root},
            "credentials.yml": {"storage": self.credentials},
            "parameters.yml": {"pairs": ["btc_usdt"]},
        }
        for name, content in written.items():
            (self.project / "conf/local" / name).write_text(json.dumps(content))

    def repository(self, *pairs: str) -> ModelRepository:
        """The published models."""
        return replace(ModelRepository.open("local", self.project), pairs=pairs or ("btc_usdt",))


@pytest.fixture(scope="session")
def make_place(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[..., Place]:
    """Makes projects with one published version of btc_usdt, in their folder or in a bucket."""

    def make(kind: str = "folder") -> Place:
        made = Place(tmp_path_factory.mktemp("place"))
        store(lay_out(made.project), VERSION)
        if kind == "bucket":
            made.root = f"s3://{request.getfixturevalue('shared_bucket')}/{secrets.token_hex(6)}"
            made.credentials = request.getfixturevalue("s3_server").credentials()
            made.send()
        made.configure()
        return made

    return make


@pytest.fixture
def place(make_place: Callable[..., Place], request: pytest.FixtureRequest) -> Place:
    """A project in a folder, unless a test asks for a bucket."""
    return make_place(getattr(request, "param", "folder"))


@pytest.fixture
def project(place: Place) -> Path:
    """Its folder."""
    return place.project


@pytest.fixture(scope="session")
def market() -> SimulatedMarket:
    """One simulated market for all."""
    return SimulatedMarket(seed=42)


@pytest.fixture
def exchange(market: SimulatedMarket) -> Iterator[ReplayServer]:
    """An exchange whose clock stands at half past ten."""
    with ReplayServer(market, clock=Clock(NOW, speed=0)) as server:
        yield server


def forecast_service(place: Place, exchange: ReplayServer, *pairs: str, refresh: bool = True) -> ForecastService:
    """The forecast service of a project and an exchange, which is not refreshed on its own."""
    client = BinanceClient(exchange.url, timeout=60, retries=Retries(max_attempts=1))
    service = ForecastService(place.repository(*pairs), client)
    if refresh:
        service.refresh_models()
        service.refresh_candles()
    return service


@pytest.fixture
def open_service(place: Place, exchange: ReplayServer) -> Callable[..., ForecastService]:
    """Opens the forecast service of the project and the exchange."""
    return lambda *pairs, refresh=True: forecast_service(place, exchange, *pairs, refresh=refresh)


@dataclass
class Stopwatch:
    """Monotonic seconds that a test sets."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()
