"""Servers as processes, for tests: started, waited for, stopped."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Self

import httpx
import psutil

from make_us_rich.client.schemas import Registration
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket
from network import TIMEOUT, free_port
from serving.accounts import users
from serving.accounts.accounts import Accounts
from serving.accounts.database import Database
from serving.accounts.tables import ADMIN, MEMBER
from serving.settings import Settings
from synthetic import VERSION, lay_out, store

REPO = Path(__file__).resolve().parents[1]
NOW = datetime(2025, 3, 1, 10, 30, tzinfo=UTC)
PASSWORD = "engine-of-1843"
_QUICK = {
    "SECRET_KEY": "A" * 43 + "=",
    "MODELS_SECONDS": "0.5",
    "CANDLES_SECONDS": "0.5",
    "PASSWORD_MEMORY_KIB": "8",
    "REGISTRATIONS": "1000",
}


def processes_in(folder: Path) -> set[int]:
    """Processes that work in a folder."""
    return {each.pid for each in psutil.process_iter(["cwd"]) if each.info["cwd"] == str(folder.resolve())}


@dataclass
class ServerProcess:
    """A server that a test may start and stop.

    Attributes:
        folder: Its working directory, where its log is.
        port: To listen on.
        variables: Its settings, without the prefix of their names.
        module: What ``python -m`` runs.
        alive: A path that answers as soon as the server is alive.
    """

    folder: Path
    port: int
    variables: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    module: ClassVar[str]
    alive: ClassVar[str]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / f"{self.module}.log").read_text()

    @property
    def environment(self) -> dict[str, str]:
        """The environment that it is started with."""
        named = {f"MAKE_US_RICH_{name}": value for name, value in self.variables.items()}
        return {**os.environ, "PYTHONPATH": str(REPO), **named}

    @property
    def command(self) -> list[str]:
        """What starts it."""
        return [sys.executable, "-m", self.module]

    def start(self) -> Self:
        """Start it, and wait until it is alive."""
        with (self.folder / f"{self.module}.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
        try:
            self.wait(self.alive)
        except AssertionError:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop it as a supervisor does."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(timeout=TIMEOUT)

    def wait(self, path: str, status: int = 200, **headers: str) -> httpx.Response:
        """Request a path until the response has a status."""
        deadline, answer = time.monotonic() + TIMEOUT, None
        while time.monotonic() < deadline:
            try:
                answer = httpx.get(self.url + path, headers=headers, timeout=TIMEOUT, trust_env=False)
            except httpx.TransportError:
                assert self.process is not None
                assert self.process.poll() is None, self.log
            if answer is not None and answer.status_code == status:
                return answer
            time.sleep(0.05)
        raise AssertionError(f"{path}: {answer and answer.text}\n{self.log}")


class ApiProcess(ServerProcess):
    """The API in a project's folder."""

    module = "serving"
    alive = "/healthz"
    exchange: ReplayServer
    """Where its candles come from; set by ``published_api``."""

    @property
    def project(self) -> Path:
        """The project's folder."""
        return self.folder

    @property
    def environment(self) -> dict[str, str]:
        """The environment that it is started with."""
        return {**super().environment, "KEDRO_ENV": "local", "MAKE_US_RICH_PORT": str(self.port)}

    def bearer(self, name: str, *, admin: bool = False) -> dict[str, str]:
        """A header with the API token of a new user, registered beside the server."""
        return {"Authorization": f"Bearer {asyncio.run(self._register(name, admin)).api_token}"}

    def login(self, name: str, *, admin: bool = False) -> dict[str, str]:
        """A header with the login of a new user, registered beside the server."""
        return {"Authorization": f"Bearer {asyncio.run(self._register(name, admin)).login_token}"}

    def reports(self, kind: str, text: str) -> bool:
        """Whether ``/readyz`` has a text among its reasons, or among what is degraded."""
        return any(text in each for each in httpx.get(f"{self.url}/readyz", timeout=TIMEOUT).json()[kind])

    async def _register(self, name: str, admin: bool) -> Registration:
        url = self.variables["DATABASE_URL"]
        accounts = Accounts(Settings(database_url=url, password_memory_kib=8, registrations=10_000))
        try:
            new = await accounts.register(name, PASSWORD, "here")
        finally:
            await accounts.close()
        if admin:
            make_admin(self, name)
        return new


class OidcProvider(ServerProcess):
    """An OpenID Connect provider that knows every client, and every user by what is typed as the subject."""

    module = "oidc_provider_mock"
    alive = "/.well-known/openid-configuration"

    @property
    def command(self) -> list[str]:
        """What starts it."""
        return [*super().command, "--port", str(self.port)]

    def id_token(self, subject: str, client_id: str, **claims: str) -> str:
        """The ID token of a user with claims."""
        client = {"client_id": client_id, "redirect_uri": "http://interface/oauth2callback"}
        with httpx.Client(base_url=self.url, timeout=TIMEOUT, trust_env=False) as http:
            http.put(f"/users/{subject}", json=claims).raise_for_status()
            query = {**client, "response_type": "code", "scope": "openid profile email"}
            location = http.post("/oauth2/authorize", params=query, data={"sub": subject}).headers["location"]
            grant = {**client, "grant_type": "authorization_code", "code": httpx.URL(location).params["code"]}
            token: str = http.post("/oauth2/token", data={**grant, "client_secret": "any"}).json()["id_token"]
        return token


@contextmanager
def api_in(project: Path, market: SimulatedMarket | None = None, **variables: object) -> Iterator[ApiProcess]:
    """The API of a project at half past ten on 1 March 2025, ready.

    Its accounts are in a SQLite file, unless ``variables``, which are settings, name another database.
    """
    with ReplayServer(market or SimulatedMarket(seed=42), clock=Clock(NOW, speed=0)) as exchange:
        addresses = {"EXCHANGE_URL": exchange.url, "DATABASE_URL": f"sqlite:///{project / 'accounts.db'}"}
        given = {name: str(value) for name, value in variables.items()}
        api = ApiProcess(project, free_port(), addresses | _QUICK | given).start()
        api.exchange = exchange
        try:
            api.wait("/readyz")
            yield api
        finally:
            if api.process and api.process.poll() is None:
                api.stop()


@contextmanager
def published_api(
    folder: Path, *published: str, prepare: Callable[[Path], object] = str, **variables: object
) -> Iterator[ApiProcess]:
    """The API of a new project with models of btc_usdt and the given pairs; eth_usdt is configured, too."""
    folder.mkdir(exist_ok=True)
    project = lay_out(folder)
    for pair in {"btc_usdt", *published}:
        store(project, VERSION, pair=pair)
    (project / "conf/local/parameters.yml").write_text("pairs: [btc_usdt, eth_usdt]\n")
    prepare(project)  # Before the API starts, which reads a model card once.
    with api_in(project, **variables) as api:
        yield api


def make_admin(api: ApiProcess, name: str) -> None:
    """Give a user the role, beside the API."""
    database = Database(Settings(database_url=api.variables["DATABASE_URL"]))
    database.transact(lambda session: users.set_roles(session, name, {ADMIN, MEMBER}))
    database.close()
