"""A PostgreSQL server that is down, restarts or hangs, and a damaged SQLite file."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from network import free_port
from postgres_server import PostgresServer
from serving.accounts.accounts import Accounts
from serving.errors import UnavailableError

from .conftest import Clock, join

pytestmark = pytest.mark.anyio


async def wait_until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(120):
        while not await condition():
            await asyncio.sleep(0.1)


async def is_ready(accounts: Accounts) -> bool:
    return await accounts.problem() is None


async def passes(accounts: Accounts, token: str) -> bool:
    try:
        await accounts.admit(token)
    except UnavailableError:
        return False
    return True


async def count_calls(accounts: Accounts, token: str) -> int:
    calls = 0
    while await passes(accounts, token):
        calls += 1
    return calls


async def test_a_known_token_passes_during_an_outage_for_a_while(
    open_accounts, database_url: str, stoppable_postgres: PostgresServer, clock: Clock
) -> None:
    accounts = await open_accounts(database_url)
    known, unseen = (await join(accounts)).api_token, (await join(accounts, "grace")).api_token
    await accounts.admit(known)
    stoppable_postgres.stop()
    assert not await is_ready(accounts)
    assert not await passes(accounts, unseen)
    clock.advance(seconds=60)
    assert await passes(accounts, known)
    clock.advance(seconds=241)
    assert not await passes(accounts, known)
    clock.advance(seconds=-241)
    assert await count_calls(accounts, known) == 98  # The rest of the lease.
    stoppable_postgres.start()
    await wait_until(lambda: passes(accounts, known))
    await wait_until(lambda: passes(accounts, unseen))
    stoppable_postgres.stop()
    stoppable_postgres.start()
    assert await is_ready(accounts)  # A restart between two requests is not noticed.


async def test_a_server_that_hangs_delays_nobody_for_longer_than_the_limit(
    open_accounts, database_url: str, stoppable_postgres: PostgresServer, clock: Clock
) -> None:
    accounts = await open_accounts(database_url, database_seconds=0.5)
    token = (await join(accounts)).api_token
    await accounts.admit(token)
    stoppable_postgres.pause()
    try:
        clock.advance(seconds=1.5)  # The token has to be looked up again; the lease is not idle yet.
        assert "did not answer within 0.5 s" in (await accounts.problem() or "")
        assert await count_calls(accounts, token) == 99
    finally:
        stoppable_postgres.resume()
    await wait_until(lambda: passes(accounts, token))


async def test_a_password_in_the_url_is_never_shown(open_accounts, caplog: pytest.LogCaptureFixture) -> None:
    accounts = await open_accounts(f"postgresql://app:hunter2-hunter2@127.0.0.1:{free_port()}/accounts")
    shown = f"{await accounts.problem()} {accounts.settings!r} {caplog.text}"
    assert "does not answer" in shown
    assert "hunter2" not in shown


async def test_a_damaged_sqlite_file_is_reported_and_recovers(open_accounts, sqlite_url: str, tmp_path: Path) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    accounts = await open_accounts(sqlite_url)
    token = (await join(accounts)).api_token
    await accounts.admit(token)
    accounts.database.engine.dispose()
    shutil.copy(path, tmp_path / "copy.db")
    path.write_bytes(b"damaged" * 1000)
    assert not await is_ready(accounts)
    assert await passes(accounts, token)
    shutil.copy(tmp_path / "copy.db", path)
    await wait_until(lambda: is_ready(accounts))
