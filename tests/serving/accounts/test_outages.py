"""PostgreSQL that is not there yet, goes away, hangs, and comes back."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from accounts_site import Clock, join, opened
from conftest import free_port
from serving.accounts.accounts import Accounts
from serving.accounts.errors import SchemaError, UnavailableError

pytestmark = pytest.mark.anyio


async def until(answers: Callable[[], Awaitable[bool]], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not await answers():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.1)


async def ready(accounts: Accounts) -> bool:
    return await accounts.problem() is None


async def passes(accounts: Accounts, token: str) -> bool:
    try:
        await accounts.gatekeeper.admit(token)
    except UnavailableError:
        return False
    return True


async def calls_that_pass(accounts: Accounts, token: str) -> int:
    count = 0
    while await passes(accounts, token):
        count += 1
    return count


async def test_what_is_known_passes_while_the_database_is_down(postgres_of_its_own: Any, clock: Clock) -> None:
    server = postgres_of_its_own
    async with opened(server.url("accounts"), clock) as accounts:
        token = (await join(accounts)).api_token
        other = (await join(accounts, "grace")).api_token
        await accounts.gatekeeper.admit(token)
        server.stop()
        assert not await ready(accounts)
        assert not await passes(accounts, other)  # Never seen by this process.
        clock.go(seconds=60)
        assert await calls_that_pass(accounts, token) == 49
        server.start()

        async def both() -> bool:
            return await passes(accounts, token) and await passes(accounts, other)

        await until(both)


async def test_a_token_is_not_trusted_for_ever(postgres_of_its_own: Any, clock: Clock) -> None:
    async with opened(postgres_of_its_own.url("accounts"), clock) as accounts:
        token = (await join(accounts)).api_token
        await accounts.gatekeeper.admit(token)
        postgres_of_its_own.stop()
        clock.go(seconds=301)
        assert not await passes(accounts, token)


async def test_a_server_that_was_started_again_is_not_noticed(postgres_of_its_own: Any, clock: Clock) -> None:
    async with opened(postgres_of_its_own.url("accounts"), clock) as accounts:
        await join(accounts)
        postgres_of_its_own.stop()
        postgres_of_its_own.start()
        assert await ready(accounts)


async def test_a_server_that_hangs_holds_nobody_up(postgres_of_its_own: Any, clock: Clock) -> None:
    server = postgres_of_its_own
    async with opened(server.url("accounts"), clock, database_seconds=0.5) as accounts:
        token = (await join(accounts)).api_token
        await accounts.gatekeeper.admit(token)
        server.pause()
        try:
            clock.go(seconds=1.5)  # The token has to be asked for again; the block is not idle yet.
            assert "did not answer within 0.5 s" in (await accounts.problem() or "")
            assert await calls_that_pass(accounts, token) == 49
        finally:
            server.resume()
        await until(lambda: ready(accounts))
        await until(lambda: passes(accounts, token))


async def test_accounts_start_before_their_database(postgres_of_its_own: Any, clock: Clock) -> None:
    server = postgres_of_its_own
    server.stop()
    async with opened(server.url("accounts"), clock) as accounts:
        assert "does not answer" in (await accounts.problem() or "")
        with pytest.raises(UnavailableError, match="try again in a moment"):
            await join(accounts)
        server.start()
        await until(lambda: ready(accounts))
        assert (await join(accounts)).name == "ada"


async def test_a_server_without_tables_stops_the_start(empty_postgres_url: str, clock: Clock) -> None:
    with pytest.raises(SchemaError, match="accounts migrate"):
        async with opened(empty_postgres_url, clock):
            pass


async def test_an_address_with_a_password_is_never_shown(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    url = f"postgresql://app:hunter2-hunter2@127.0.0.1:{free_port()}/accounts"
    async with opened(url, clock) as accounts:
        told = f"{await accounts.problem()} {accounts.settings!r} {caplog.text}"
    assert "does not answer" in told
    assert "hunter2" not in told


async def test_an_embedded_database_that_was_spoilt_is_told_and_recovers(
    sqlite_url: str, tmp_path: Path, clock: Clock
) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    async with opened(sqlite_url, clock) as accounts:
        token = (await join(accounts)).api_token
        await accounts.gatekeeper.admit(token)
        accounts.database.engine.dispose()
        shutil.copy(path, tmp_path / "kept.db")
        path.write_bytes(b"spoilt" * 1000)
        assert not await ready(accounts)
        assert await passes(accounts, token)
        shutil.copy(tmp_path / "kept.db", path)
        await until(lambda: ready(accounts))
