"""Tokens are valid until they are revoked or expire, in every process."""

import asyncio

import pytest
from sqlalchemy import event

from serving.accounts import tokens
from serving.accounts.accounts import Accounts
from serving.errors import UnauthorizedError

from .conftest import Clock, join

pytestmark = pytest.mark.anyio

UNKNOWN = "mur_" + "a" * 43


@pytest.mark.parametrize("token", ["", "mur_", "x" * 47, "mur_" + "é" * 43, "mul_" + "a" * 43, UNKNOWN, "mur_\0"])
async def test_an_unknown_token_is_refused(accounts: Accounts, token: str) -> None:
    with pytest.raises(UnauthorizedError, match="log in again"):
        await accounts.admit(token)


async def test_unknown_tokens_are_remembered_for_five_seconds_in_bounded_memory(
    accounts: Accounts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MAX_UNKNOWN_TOKENS", 2)
    lookups: list[object] = []
    event.listen(accounts.database.engine, "begin", lookups.append)
    first, *others = (f"mur_{letter * 43}" for letter in "abc")
    for token, seconds, n_lookups in [
        *[(first, 0, 1), (first, 0, 1), (first, 4.9, 1), (first, 0.1, 2)],
        *[(others[0], 0, 3), (others[1], 0, 4), (others[0], 0, 4), (first, 0, 5)],
    ]:
        clock.advance(seconds=seconds)
        with pytest.raises(UnauthorizedError):
            await accounts.admit(token)
        assert len(lookups) == n_lookups


@pytest.mark.parametrize(
    ("revoke", "kind", "span"),
    [
        (lambda session, user: tokens.revoke(session, 1), "api_token", {"seconds": 1}),
        (lambda session, user: tokens.close_logins(session, 1), "login_token", {"seconds": 1}),
        (lambda session, user: tokens.revoke(session, 1), "api_token", {"hours": -1}),
    ],
    ids=["API token", "login", "clock set back"],
)
async def test_a_token_revoked_in_another_process_is_refused_within_a_second(
    open_accounts, database_url: str, clock: Clock, revoke, kind: str, span: dict[str, float]
) -> None:
    one, other = await open_accounts(database_url), await open_accounts(database_url)
    user = await join(one)
    await other.admit(getattr(user, kind))
    await one.database.write(lambda session: revoke(session, user))
    clock.advance(**span)
    with pytest.raises(UnauthorizedError):
        await other.admit(getattr(user, kind))


async def test_a_token_in_use_is_checked_in_the_background(open_accounts, database_url: str) -> None:
    one, other = await open_accounts(database_url), await open_accounts(database_url)
    token = (await join(one)).api_token
    await other.admit(token)
    await one.database.write(lambda session: tokens.revoke(session, 1))

    async def call_until_refused() -> None:
        while True:
            await other.admit(token)
            await asyncio.sleep(0.05)

    # The clock stands still: only the background check can notice.
    with pytest.raises(UnauthorizedError):
        await asyncio.wait_for(call_until_refused(), 120)


async def test_a_result_older_than_a_revocation_is_not_used(accounts: Accounts) -> None:
    token = (await join(accounts)).api_token
    asking = asyncio.create_task(accounts.admit(token))
    await asyncio.sleep(0)  # The lookup has started.
    await accounts.database.write(lambda session: tokens.revoke(session, 1))
    accounts.authenticator.forget(1)
    await asyncio.gather(asking, return_exceptions=True)
    with pytest.raises(UnauthorizedError):
        await accounts.admit(token)
