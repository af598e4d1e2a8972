"""Accounts and their endpoints, for tests."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from serving.accounts.accounts import Accounts, Attempted, LoggedIn
from serving.accounts.settings import AccountsSettings
from serving.errors_base import ServingError
from serving.routes import accounts as accounts_routes
from serving.routes import admin as admin_routes

PASSWORD = "engine-of-1843"


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 15, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def go(self, **span: float) -> None:
        self.now += timedelta(**span)


def quick(url: str, **changes: Any) -> AccountsSettings:
    """Settings with cheap hashes, and patience with a database on a busy machine."""
    return AccountsSettings(database_url=url, **{"password_memory_kib": 64, "database_seconds": 20, **changes})


@asynccontextmanager
async def opened(url: str, clock: Callable[[], datetime], **changes: Any) -> AsyncIterator[Accounts]:
    accounts = Accounts(quick(url, **changes), clock)
    await accounts.start()
    try:
        yield accounts
    finally:
        await accounts.close()


async def join(accounts: Accounts, name: str = "ada") -> LoggedIn:
    """A new member."""
    return await accounts.register(Attempted(name, PASSWORD, "192.0.2.1"))


class Site:
    """The endpoints of accounts, as a browser or a program reaches them."""

    def __init__(self, accounts: Accounts, client: httpx.AsyncClient) -> None:
        self.accounts = accounts
        self.client = client

    async def ask(self, method: str, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **options)

    async def register(self, name: str, password: str = PASSWORD) -> httpx.Response:
        return await self.ask("POST", "/register", json={"name": name, "password": password})

    async def log_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        return await self.ask("POST", "/login", json={"name": name, "password": password})


def app_for(accounts: Accounts) -> FastAPI:
    """The endpoints, with errors as bare as can be."""
    app = FastAPI()
    app.state.accounts = accounts
    app.include_router(accounts_routes.router, prefix="/api/v1")
    app.include_router(admin_routes.router, prefix="/api/v1")

    @app.exception_handler(ServingError)
    async def refuse(request: Request, error: ServingError) -> JSONResponse:
        return JSONResponse({"code": error.code, "message": str(error)}, error.status, error.headers)

    return app


@asynccontextmanager
async def site(url: str, clock: Callable[[], datetime], **changes: Any) -> AsyncIterator[Site]:
    async with opened(url, clock, **changes) as accounts:
        transport = httpx.ASGITransport(app_for(accounts), client=("192.0.2.7", 1234))
        async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
            yield Site(accounts, client)
