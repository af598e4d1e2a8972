"""Passwords are argon2id, a few at a time, and unknown names take as long."""

import asyncio
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from serving.accounts.errors import UnavailableError
from serving.accounts.passwords import Passwords
from serving.accounts.settings import AccountsSettings

pytestmark = pytest.mark.anyio


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(AccountsSettings(password_memory_kib=64))


async def test_hashes_are_argon2id_with_owasps_parameters() -> None:
    used = extract_parameters(await Passwords(AccountsSettings()).hash("engine-of-1843"))
    assert (used.type, used.memory_cost, used.time_cost, used.parallelism) == (Type.ID, 19_456, 2, 1)


async def test_each_hash_has_its_own_salt(passwords: Passwords) -> None:
    assert await passwords.hash("engine-of-1843") != await passwords.hash("engine-of-1843")


async def test_a_hash_is_one_that_argon2_verifies(passwords: Passwords) -> None:
    assert PasswordHasher().verify(await passwords.hash("engine-of-1843"), "engine-of-1843")


async def test_only_the_right_password_is_right(passwords: Passwords) -> None:
    stored = await passwords.hash("engine-of-1843")
    assert await passwords.verify(stored, "engine-of-1843")
    assert not await passwords.verify(stored, "engine-of-1844")


async def test_a_damaged_hash_is_never_right(passwords: Passwords) -> None:
    assert not await passwords.verify("no hash", "engine-of-1843")


async def test_for_an_unknown_name_a_hash_with_the_same_parameters_is_verified(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    real = PasswordHasher.verify

    def noted(hasher: PasswordHasher, stored: str, password: bytes) -> Any:
        verified.append(stored)
        return real(hasher, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", noted)
    assert not await passwords.verify(None, "engine-of-1843")
    assert extract_parameters(verified[0]) == extract_parameters(await passwords.hash("engine-of-1843"))


async def test_hashing_leaves_the_event_loop_free() -> None:
    passwords = Passwords(AccountsSettings(password_memory_kib=65_536))
    hashing = asyncio.create_task(passwords.hash("engine-of-1843"))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10


async def test_more_than_can_wait_are_refused_and_the_rest_is_served(passwords: Passwords) -> None:
    asked = [passwords.hash("engine-of-1843") for _ in range(50)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, UnavailableError)]
    assert len(refused) == 50 - 2 * (1 + 16)
    assert await passwords.hash("engine-of-1843")
