"""The gatekeeper: exact quotas by blocks, tokens that live and die, months."""

import asyncio
import threading
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from accounts_site import Clock, join, opened
from serving.accounts import gatekeeper, logins, quotas, tokens, users
from serving.accounts.accounts import Accounts, LoggedIn
from serving.accounts.errors import QuotaError, UnauthorizedError, UnavailableError
from serving.accounts.months import first_day
from serving.accounts.quotas import Wanted

pytestmark = pytest.mark.anyio

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


async def call(accounts: Accounts, token: str, most: int = 10_000) -> int:
    """How many calls pass until one is refused."""
    for passed in range(most):
        try:
            await accounts.gatekeeper.admit(token)
        except QuotaError:
            return passed
    return most


async def used(accounts: Accounts, clock: Clock) -> int:
    """Calls of the first user, as the database has them."""
    return await accounts.database.read(lambda session: quotas.used(session, 1, first_day(clock())))


async def made(accounts: Accounts, clock: Clock) -> int:
    """Calls of the first user that were made, as far as this process knows."""
    month = first_day(clock())
    counted, held = await accounts.gatekeeper.beside_held(1, lambda session: quotas.used(session, 1, month))
    return counted - held


async def until(condition: Callable[[], "asyncio.Future[bool]"]) -> None:
    for _ in range(2400):
        if await condition():
            return
        await asyncio.sleep(0.05)
    pytest.fail("it does not come true")


def token_of(user: LoggedIn) -> str:
    assert user.api_token is not None
    return user.api_token


async def test_exactly_the_quota_passes(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        assert await call(accounts, token_of(await join(accounts))) == 1000


async def test_clients_at_once_get_exactly_the_quota(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        token = token_of(await join(accounts))
        assert sum(await asyncio.gather(*(call(accounts, token) for _ in range(16)))) == 1000


async def test_two_processes_share_one_quota(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as one, opened(database_url, clock) as other:
        token = token_of(await join(one))
        first = await call(one, token, 30)
        assert first + await call(other, token) + await call(one, token) == 1000


@pytest.mark.parametrize("block", [1, 7, 50, 5000])
async def test_any_size_of_block_is_exact(sqlite_url: str, clock: Clock, block: int) -> None:
    async with opened(sqlite_url, clock, block_calls=block, monthly_calls=101) as accounts:
        assert await call(accounts, token_of(await join(accounts))) == 101


async def test_a_quota_of_nothing_admits_nothing(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock, monthly_calls=0) as accounts:
        assert await call(accounts, token_of(await join(accounts))) == 0


async def test_each_admission_says_what_is_left(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock, monthly_calls=120) as accounts:
        token = token_of(await join(accounts))
        said = [(await accounts.gatekeeper.admit(token)).remaining for _ in range(120)]
        assert said == list(range(119, -1, -1))


async def test_a_refusal_says_when_the_month_ends(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock, monthly_calls=1) as accounts:
        token = token_of(await join(accounts))
        assert (await accounts.gatekeeper.admit(token)).reset_at == FEBRUARY
        with pytest.raises(QuotaError, match="2026-02-01 00:00 UTC") as refused:
            await accounts.gatekeeper.admit(token)
    assert refused.value.headers == {
        "X-RateLimit-Limit": "1",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(FEBRUARY.timestamp())),
        "Retry-After": str(int((FEBRUARY - clock()).total_seconds())),
    }


async def test_the_quota_begins_anew_with_the_month_in_utc(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        token = token_of(await join(accounts))
        assert await call(accounts, token) == 1000
        clock.now = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
        assert await call(accounts, token) == 0
        clock.now = FEBRUARY
        assert await call(accounts, token) == 1000


async def test_calls_left_over_are_not_carried_into_the_next_month(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        token = token_of(await join(accounts))
        assert await call(accounts, token, 10) == 10
        clock.now = FEBRUARY
        assert await call(accounts, token) == 1000


async def test_closing_gives_back_what_was_not_used(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        token = token_of(await join(accounts))
        await call(accounts, token, 3)
        assert await used(accounts, clock) == 50
    async with opened(database_url, clock) as accounts:
        assert await used(accounts, clock) == 3


async def test_an_idle_block_goes_back(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        await call(accounts, token_of(await join(accounts)), 3)
        clock.go(seconds=2)

        async def is_back() -> bool:
            return await used(accounts, clock) == 3

        await until(is_back)


async def test_a_block_on_its_way_back_is_no_calls_made(
    database_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_end, really = threading.Event(), threading.Event(), quotas.give_back

    def give_back(session: Session, unused: Collection[Wanted]) -> None:
        began.set()
        assert may_end.wait(20)
        really(session, unused)

    async with opened(database_url, clock) as accounts:
        await call(accounts, token_of(await join(accounts)), 3)
        monkeypatch.setattr(quotas, "give_back", give_back)
        clock.go(seconds=2)
        assert await asyncio.to_thread(began.wait, 20)

        asked = asyncio.create_task(made(accounts, clock))
        await asyncio.sleep(0.05)  # So that it finds the block on its way.
        may_end.set()
        assert await asked == 3


async def test_calls_made_are_told_exactly_while_blocks_come_and_go(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock, block_calls=4) as accounts:
        token = token_of(await join(accounts))
        for calls in range(1, 60):
            await accounts.gatekeeper.admit(token)
            assert await made(accounts, clock) == calls


async def test_a_failed_call_is_not_counted(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock, monthly_calls=10) as accounts:
        token = token_of(await join(accounts))
        failed = await accounts.gatekeeper.admit(token)
        assert await call(accounts, token) == 9
        await accounts.gatekeeper.refund(failed)
        assert await call(accounts, token) == 1


async def test_a_call_that_fails_after_its_block_went_back_is_not_counted(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        admission = await accounts.gatekeeper.admit(token_of(await join(accounts)))
        clock.go(seconds=2)

        async def is_back() -> bool:
            return await used(accounts, clock) == 1

        await until(is_back)
        await accounts.gatekeeper.refund(admission)
    async with opened(database_url, clock) as accounts:
        assert await used(accounts, clock) == 0


async def test_a_call_that_fails_in_the_next_month_leaves_that_month_alone(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        token = token_of(await join(accounts))
        failed = await accounts.gatekeeper.admit(token)
        clock.now = FEBRUARY
        await accounts.gatekeeper.refund(failed)
        assert await call(accounts, token) == 1000


async def test_calls_ask_the_database_once_a_block(
    database_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gatekeeper, "_ROUND_SECONDS", 3600)
    async with opened(database_url, clock, monthly_calls=100_000) as accounts:
        token = token_of(await join(accounts))
        begun: list[object] = []
        event.listen(accounts.database.engine, "begin", begun.append)
        await call(accounts, token, 2000)
        # One for the token, one for each block, or each part of one that is filled ahead.
        assert len(begun) <= 1 + 2000 / (50 / 2) + 1


@pytest.mark.parametrize("token", ["", "mur_", "x" * 47, "mur_" + "é" * 43, "mul_" + "a" * 43, "mur_" + "a" * 43])
async def test_an_unknown_token_is_refused(database_url: str, clock: Clock, token: str) -> None:
    async with opened(database_url, clock) as accounts:
        with pytest.raises(UnauthorizedError, match="log in and rotate"):
            await accounts.gatekeeper.admit(token)


async def test_an_unknown_token_is_looked_up_once(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        begun: list[object] = []
        event.listen(accounts.database.engine, "begin", begun.append)
        for _ in range(20):
            with pytest.raises(UnauthorizedError):
                await accounts.gatekeeper.admit("mur_" + "a" * 43)
        assert len(begun) == 1


async def test_a_rotated_token_is_dead_at_once_where_it_was_rotated(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        old = token_of(await join(accounts))
        await accounts.gatekeeper.admit(old)
        new = await accounts.database.write(lambda session: tokens.rotate(session, 1, clock()))
        accounts.gatekeeper.forget(1)
        with pytest.raises(UnauthorizedError):
            await accounts.gatekeeper.admit(old)
        assert (await accounts.gatekeeper.admit(new)).remaining == 998


async def test_a_revoked_token_is_dead_within_a_second_elsewhere(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as one, opened(database_url, clock) as other:
        token = token_of(await join(one))
        await other.gatekeeper.admit(token)
        await one.database.write(lambda session: tokens.revoke(session, 1))
        clock.go(seconds=1)
        with pytest.raises(UnauthorizedError):
            await other.gatekeeper.admit(token)


async def test_a_token_in_use_is_checked_without_a_call_waiting_for_it(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as one, opened(database_url, clock) as other:
        token = token_of(await join(one))
        await other.gatekeeper.admit(token)
        await one.database.write(lambda session: tokens.revoke(session, 1))

        async def is_refused() -> bool:
            try:
                await other.gatekeeper.admit(token)
            except UnauthorizedError:
                return True
            return False

        await until(is_refused)  # The clock stands still: only a round can have found out.


async def test_an_answer_from_before_a_revocation_is_not_believed(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        token = token_of(await join(accounts))
        asking = asyncio.create_task(accounts.gatekeeper.admit(token))
        await asyncio.sleep(0)  # It has begun to ask.
        await accounts.database.write(lambda session: tokens.revoke(session, 1))
        accounts.gatekeeper.forget(1)
        await asyncio.gather(asking, return_exceptions=True)
        with pytest.raises(UnauthorizedError):
            await accounts.gatekeeper.admit(token)


async def test_a_clock_that_was_set_back_makes_no_token_eternal(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as one, opened(database_url, clock) as other:
        token = token_of(await join(one))
        await other.gatekeeper.admit(token)
        await one.database.write(lambda session: tokens.revoke(session, 1))
        clock.go(hours=-1)
        with pytest.raises(UnauthorizedError):
            await other.gatekeeper.admit(token)


@pytest.mark.parametrize(
    ("own", "role", "limit"), [(None, None, 1000), (None, 70, 70), (30, 70, 30), (90, 70, 90), (0, 70, 0)]
)
async def test_a_users_limit_goes_before_the_roles(
    sqlite_url: str, clock: Clock, own: int | None, role: int | None, limit: int
) -> None:
    async with opened(sqlite_url, clock) as accounts:
        token = token_of(await join(accounts))
        await accounts.database.write(lambda session: users.set_limit(session, "ada", own))
        await accounts.database.write(lambda session: users.set_plan(session, "member", role))
        assert await call(accounts, token) == limit


async def test_of_two_roles_the_larger_limit_counts(sqlite_url: str, clock: Clock) -> None:
    async with opened(sqlite_url, clock) as accounts:
        token = token_of(await join(accounts))
        await accounts.database.write(lambda session: users.set_roles(session, "ada", ["member", "admin"]))
        await accounts.database.write(lambda session: users.set_plan(session, "member", 20))
        await accounts.database.write(lambda session: users.set_plan(session, "admin", 60))
        assert await call(accounts, token) == 60


async def test_a_lower_limit_holds_for_a_block_that_is_out(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        token = token_of(await join(accounts))
        assert await call(accounts, token, 5) == 5
        await accounts.database.write(lambda session: users.set_limit(session, "ada", 8))
        accounts.gatekeeper.forget(1)
        assert await call(accounts, token) == 3


async def test_a_higher_limit_holds_within_a_second(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock, monthly_calls=5) as accounts:
        token = token_of(await join(accounts))
        assert await call(accounts, token) == 5
        await accounts.database.write(lambda session: users.set_limit(session, "ada", 8))
        clock.go(seconds=1)
        assert await call(accounts, token) == 3


async def test_a_caller_that_goes_away_loses_no_calls(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        token = token_of(await join(accounts))
        for _ in range(20):
            calling = asyncio.create_task(accounts.gatekeeper.admit(token))
            await asyncio.sleep(0.0005)
            calling.cancel()
        passed = await asyncio.gather(calling, return_exceptions=True)
        assert await call(accounts, token) >= 1000 - 20 - len(passed)
        assert await used(accounts, clock) == 1000


async def test_nobody_is_admitted_after_closing(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        token = token_of(await join(accounts))
    with pytest.raises(UnavailableError, match="shutting down"):
        await accounts.gatekeeper.admit(token)


async def test_blocks_shrink_towards_the_end(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        await join(accounts)
        wanted = Wanted(1, first_day(clock()), 50)
        left, given = 1000, []
        while block := (await accounts.database.write(lambda session: quotas.lease(session, wanted, 1000))).calls:
            assert block == min(50, max(1, left // 8))
            left -= block
            given.append(block)
        assert sum(given) == 1000


async def test_a_login_and_the_api_token_count_against_one_quota(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        user = await join(accounts)
        passed = await call(accounts, user.login_token, 400)
        assert passed + await call(accounts, token_of(user)) == 1000
        assert await call(accounts, user.login_token) == 0


async def test_a_login_admits_until_it_is_over(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as accounts:
        user = await join(accounts)
        clock.now = user.expires_at - timedelta(seconds=1)
        await accounts.gatekeeper.admit(user.login_token)
        clock.go(seconds=2)
        with pytest.raises(UnauthorizedError, match="expired"):
            await accounts.gatekeeper.admit(user.login_token)


async def test_a_login_that_ended_in_another_process_admits_no_longer(database_url: str, clock: Clock) -> None:
    async with opened(database_url, clock) as one, opened(database_url, clock) as other:
        user = await join(one)
        await other.gatekeeper.admit(user.login_token)
        await one.database.write(lambda session: logins.close_login(session, user.login_token))
        clock.go(seconds=1)
        with pytest.raises(UnauthorizedError):
            await other.gatekeeper.admit(user.login_token)
