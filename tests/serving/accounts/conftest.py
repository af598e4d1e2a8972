"""Accounts on a database, in process and over HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from make_us_rich.client.schemas import Registration
from serving import errors
from serving.accounts import users
from serving.accounts.accounts import Accounts
from serving.routes import accounts as account_routes
from serving.routes import admin
from serving.settings import Settings

PASSWORD = "engine-of-1843"
ON_BOTH_DATABASES = pytest.mark.parametrize("database_url", ["sqlite_url", "postgres_url"], indirect=True)

OpenAccounts = Callable[..., Awaitable[Accounts]]


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 15, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


class Client:
    """An HTTP client of the endpoints for accounts."""

    def __init__(self, accounts: Accounts, http: httpx.AsyncClient) -> None:
        self.accounts = accounts
        self._http = http

    async def request(self, method: str, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if "content" in options:
            headers["Content-Type"] = "application/json"
        return await self._http.request(method, f"/api/v1{path}", headers=headers, **options)

    async def register(self, name: str = "ada", password: str = PASSWORD) -> httpx.Response:
        return await self.request("POST", "/register", json={"name": name, "password": password})

    async def log_in(self, name: str = "ada", password: str = PASSWORD) -> httpx.Response:
        return await self.request("POST", "/login", json={"name": name, "password": password})

    async def register_admin(self) -> dict[str, str]:
        """The tokens of the admin ``root``."""
        tokens: dict[str, str] = (await self.register("root")).json()
        await self.accounts.database.write(lambda session: users.set_roles(session, "root", {"admin", "member"}))
        return tokens

    async def rows(self, table: str) -> list[dict[str, Any]]:
        query = text(f"SELECT * FROM {table}")
        return await self.accounts.database.read(
            lambda session: [dict(row) for row in session.execute(query).mappings()]
        )


async def join(accounts: Accounts, name: str = "ada") -> Registration:
    """Register a member."""
    return await accounts.register(name, PASSWORD, "192.0.2.1")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def open_accounts(clock: Clock) -> AsyncIterator[OpenAccounts]:
    """Start the accounts of a process on a database, with cheap hashes; they are closed after the test."""
    async with AsyncExitStack() as stack:

        async def start(url: str, clock: Callable[[], datetime] = clock, **changes: Any) -> Accounts:
            values = {"password_memory_kib": 64, "database_seconds": 20, **changes}
            accounts = Accounts(Settings(database_url=url, **values), clock)
            await accounts.start()
            stack.push_async_callback(accounts.close)
            return accounts

        yield start


@pytest.fixture
async def open_client(
    open_accounts: OpenAccounts,
) -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    """Start the accounts of a process with its endpoints."""
    async with AsyncExitStack() as stack:

        async def start(url: str, **changes: Any) -> Client:
            app = FastAPI()
            app.state.accounts = await open_accounts(url, **changes)
            for router in (account_routes.router, admin.router):
                app.include_router(router, prefix="/api/v1")
            errors.add_error_handlers(app)
            transport = httpx.ASGITransport(app, client=("192.0.2.7", 1234))
            http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://api"))
            return Client(app.state.accounts, http)

        yield start


@pytest.fixture
async def accounts(open_accounts: OpenAccounts, database_url: str) -> Accounts:
    """The accounts of one process."""
    return await open_accounts(database_url)


@pytest.fixture
async def client(open_client: Callable[..., Awaitable[Client]], database_url: str) -> Client:
    """A client of one process."""
    return await open_client(database_url)
