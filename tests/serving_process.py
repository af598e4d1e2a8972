"""The API as a process of its own, for tests."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from serving.accounts import users
from serving.accounts.accounts import Accounts, Attempted, LoggedIn
from serving.accounts.settings import AccountsSettings
from serving.accounts.tables import ADMIN, MEMBER

REPO = Path(__file__).resolve().parents[1]
PATIENCE = 120.0
"""Seconds after which something will not come any more, however busy the machine is."""


def wait_until(comes_true: Callable[[], bool]) -> None:
    """Ask again and again."""
    deadline = time.monotonic() + PATIENCE
    while not comes_true():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.05)


@dataclass
class ApiProcess:
    """A server that a test may start and stop.

    Attributes:
        project: The project's folder.
        port: To listen on.
        variables: Settings beside the port.
    """

    project: Path
    port: int
    variables: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.project / "log").read_text()

    def start(self) -> "ApiProcess":
        """Start it, and wait until it lives."""
        named = {f"MAKE_US_RICH_{name}": value for name, value in self.variables.items()}
        environment = {**os.environ, "PYTHONPATH": str(REPO), "KEDRO_ENV": "local", **named}
        environment["MAKE_US_RICH_PORT"] = str(self.port)
        with (self.project / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serving"], cwd=self.project, env=environment, stdout=log, stderr=log
            )
        self.wait("/healthz")
        return self

    def stop(self) -> None:
        """End it as a supervisor does."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(timeout=PATIENCE)

    def wait(self, path: str, status: int = 200, **headers: str) -> httpx.Response:
        """Ask until the answer has a status."""
        deadline, answer = time.monotonic() + PATIENCE, None
        while time.monotonic() < deadline:
            try:
                answer = httpx.get(self.url + path, headers=headers, timeout=PATIENCE)
            except httpx.TransportError:
                assert self.process is not None
                assert self.process.poll() is None, self.log
            if answer is not None and answer.status_code == status:
                return answer
            time.sleep(0.05)
        raise AssertionError(f"{path}: {answer and answer.text}\n{self.log}")

    def bearer(self, name: str, *, admin: bool = False) -> dict[str, str]:
        """A header with the API token of a new user, made beside the server."""
        return {"Authorization": f"Bearer {asyncio.run(self._register(name, admin)).api_token}"}

    def login(self, name: str, *, admin: bool = False) -> dict[str, str]:
        """A header with the login of a new user, made beside the server."""
        return {"Authorization": f"Bearer {asyncio.run(self._register(name, admin)).login_token}"}

    async def _register(self, name: str, admin: bool) -> LoggedIn:
        accounts = Accounts(AccountsSettings(database_url=self.variables["DATABASE_URL"], password_memory_kib=8))
        try:
            new = await accounts.register(Attempted(name, "engine-of-1843", "here"))
            if admin:
                await accounts.database.write(lambda session: users.set_roles(session, name, {ADMIN, MEMBER}))
        finally:
            await accounts.close()
        return new


def ready(process_of: Callable[..., ApiProcess], **settings: object) -> ApiProcess:
    """A process that has started, with a model and candles."""
    api = process_of(**settings).start()
    api.wait("/readyz")
    return api


def has_told(api: ApiProcess, kind: str, text: str) -> bool:
    """Whether the probe is told this as a reason, or as what is degraded."""
    told = httpx.get(api.url + "/readyz", timeout=PATIENCE).json()[kind]
    return any(text in each for each in told)
