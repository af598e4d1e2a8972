"""The quota is exact, over processes, months, limits and failures."""

import asyncio
import threading
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from sqlalchemy import event

from serving.accounts import accounts as accounts_module
from serving.accounts import quota, users
from serving.accounts.accounts import Accounts
from serving.accounts.tables import UserApiConsumption, first_day
from serving.errors import QuotaError

from .conftest import ON_BOTH_DATABASES, Clock, join

pytestmark = pytest.mark.anyio

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


async def call(accounts: Accounts, token: str, max_calls: int = 10_000) -> int:
    """The number of calls until one is refused."""
    for passed in range(max_calls):
        try:
            await accounts.admit(token)
        except QuotaError:
            return passed
    return max_calls


async def stored_calls(accounts: Accounts, clock: Clock) -> int:
    """Calls of the first user in the database."""
    key = (1, first_day(clock()))
    return await accounts.database.read(lambda session: session.get_one(UserApiConsumption, key).used)


async def set_limit(accounts: Accounts, limit: int | None) -> None:
    """Set ada's own limit."""
    await accounts.database.write(lambda session: setattr(users.get(session, "ada"), "monthly_limit", limit))


async def wait_for_stored_calls(accounts: Accounts, clock: Clock, calls: int) -> None:
    async with asyncio.timeout(120):
        while await stored_calls(accounts, clock) != calls:
            await asyncio.sleep(0.05)


@pytest.mark.timeout(60)
async def test_a_call_that_arrives_when_a_refill_ends_does_not_stop_the_process(
    open_accounts, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = await open_accounts(database_url, block_calls=1, monthly_calls=9)  # Leases of one call.
    token, send, calls = (await join(accounts)).api_token, accounts.quota._send, []

    async def send_and_call(*args: Any) -> Any:
        result = await send(*args)
        calls.extend(asyncio.create_task(accounts.admit(token)) for _ in range(2 if len(calls) < 4 else 0))
        return result

    monkeypatch.setattr(accounts.quota, "_send", send_and_call)
    await accounts.admit(token)
    assert len(await asyncio.gather(*calls)) == 4


@ON_BOTH_DATABASES
async def test_concurrent_clients_of_two_processes_get_exactly_the_quota_of_login_and_api_token(
    open_accounts, database_url: str
) -> None:
    one, other = await open_accounts(database_url), await open_accounts(database_url)
    user = await join(one)
    clients = product([one, other] * 4, (user.api_token, user.login_token))
    assert sum(await asyncio.gather(*(call(*client) for client in clients))) == 1000
    assert await call(one, user.login_token) == 0


@pytest.mark.parametrize(("block", "calls"), [(1, 101), (7, 101), (50, 101), (5000, 101), (50, 0)])
async def test_any_lease_size_is_exact(open_accounts, database_url: str, block: int, calls: int) -> None:
    accounts = await open_accounts(database_url, block_calls=block, monthly_calls=calls)
    assert await call(accounts, (await join(accounts)).api_token) == calls


async def test_a_refusal_has_the_end_of_the_month(open_accounts, database_url: str, clock: Clock) -> None:
    accounts = await open_accounts(database_url, monthly_calls=1)
    token = (await join(accounts)).api_token
    assert (await accounts.admit(token)).reset_at == FEBRUARY
    with pytest.raises(QuotaError, match="2026-02-01 00:00 UTC") as refused:
        await accounts.admit(token)
    seconds = str(int((FEBRUARY - clock()).total_seconds()))
    assert refused.value.headers == {
        "RateLimit-Policy": '"month";q=1',
        "RateLimit": f'"month";r=0;t={seconds}',
        "X-RateLimit-Limit": "1",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(FEBRUARY.timestamp())),
        "Retry-After": seconds,
    }


@pytest.mark.parametrize("calls_before", [10, 10_000])
async def test_the_quota_restarts_with_the_month_in_utc(accounts: Accounts, clock: Clock, calls_before: int) -> None:
    token = (await join(accounts)).api_token
    clock.now = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    assert await call(accounts, token, calls_before) == min(calls_before, 1000)
    failed = await accounts.admit(token) if calls_before < 1000 else None
    clock.now = FEBRUARY
    if failed:
        accounts.quota.refund(failed)
    assert await call(accounts, token) == 1000


async def test_an_idle_lease_is_returned_and_a_later_refund_as_well(accounts: Accounts, clock: Clock) -> None:
    grant = await accounts.admit((await join(accounts)).api_token)
    clock.advance(seconds=2)
    await wait_for_stored_calls(accounts, clock, 1)
    accounts.quota.refund(grant)
    await wait_for_stored_calls(accounts, clock, 0)


@ON_BOTH_DATABASES
async def test_usage_is_off_by_no_more_than_the_calls_in_flight(
    accounts: Accounts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_end, give_back = threading.Event(), threading.Event(), quota.give_back

    def give_back_later(*arguments: Any, **options: Any) -> None:
        began.set()
        assert may_end.wait(20)
        give_back(*arguments, **options)

    await call(accounts, (await join(accounts)).api_token, 3)
    monkeypatch.setattr(quota, "give_back", give_back_later)
    clock.advance(seconds=2)
    assert await asyncio.to_thread(began.wait, 20)
    # A reader of SQLite does not wait for the writer that is returning the calls, nor does one of PostgreSQL.
    usage = await accounts.usage(1)
    may_end.set()
    assert 3 <= usage.used <= 3 + usage.in_flight


async def test_calls_use_the_database_once_a_lease(
    open_accounts, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts_module, "CHECK_SECONDS", 3600)
    accounts = await open_accounts(database_url, monthly_calls=100_000)
    token = (await join(accounts)).api_token
    transactions: list[object] = []
    event.listen(accounts.database.engine, "begin", transactions.append)
    await call(accounts, token, 2000)
    # One for the token, and one for each lease of 1,000, or each part of a lease that is refilled early.
    assert len(transactions) <= 1 + 2000 / (1000 / 2) + 1


@pytest.mark.parametrize(
    ("own", "member", "admin", "limit"),
    [(None, None, None, 1000), (None, 70, 20, 70), (30, 70, 80, 30), (90, 70, None, 90), (0, 70, None, 0)],
)
async def test_a_users_limit_has_priority_over_the_largest_of_the_roles(
    open_accounts, database_url: str, own: int | None, member: int | None, admin: int | None, limit: int
) -> None:
    accounts = await open_accounts(database_url)
    token = (await join(accounts)).api_token
    write = accounts.database.write
    await write(lambda session: users.set_roles(session, "ada", ["member", "admin"]))
    await set_limit(accounts, own)
    for role, plan in (("member", member), ("admin", admin)):
        await write(lambda session, role=role, plan=plan: setattr(users.get_role(session, role), "monthly_limit", plan))
    assert await call(accounts, token) == limit


@pytest.mark.parametrize(("limit", "attempts"), [(1000, 5), (5, 6)], ids=["lower", "higher"])
async def test_a_new_limit_applies_within_a_second_also_to_a_lease_that_is_held(
    open_accounts, database_url: str, clock: Clock, limit: int, attempts: int
) -> None:
    accounts = await open_accounts(database_url, monthly_calls=limit)
    token = (await join(accounts)).api_token
    assert await call(accounts, token, attempts) == 5
    await set_limit(accounts, 8)
    clock.advance(seconds=1)
    assert await call(accounts, token) == 3


async def test_a_cancelled_caller_loses_no_calls(accounts: Accounts, clock: Clock) -> None:
    token = (await join(accounts)).api_token
    for _ in range(20):
        calling = asyncio.create_task(accounts.admit(token))
        await asyncio.sleep(0.0005)
        calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    assert await call(accounts, token) >= 1000 - 20
    assert await stored_calls(accounts, clock) == 1000
