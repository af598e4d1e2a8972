"""The API as a process of its own, for tests."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from server_process import PATIENCE, ServerProcess
from serving.accounts import users
from serving.accounts.accounts import Accounts, Attempted, LoggedIn
from serving.accounts.settings import AccountsSettings
from serving.accounts.tables import ADMIN, MEMBER

__all__ = ["PATIENCE", "ApiProcess", "has_told", "ready", "wait_until"]


def wait_until(comes_true: Callable[[], bool]) -> None:
    """Ask again and again."""
    deadline = time.monotonic() + PATIENCE
    while not comes_true():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.05)


class ApiProcess(ServerProcess):
    """The real API, in a project's folder."""

    module = "serving"
    alive = "/healthz"

    @property
    def project(self) -> Path:
        """The project's folder."""
        return self.folder

    @property
    def environment(self) -> dict[str, str]:
        """What it is started with."""
        return {**super().environment, "KEDRO_ENV": "local", "MAKE_US_RICH_PORT": str(self.port)}

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
