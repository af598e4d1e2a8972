"""Passwords: argon2id, a few at a time, and as slow for a name that nobody has."""

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from serving.accounts.errors import InvalidAccountError, UnavailableError
from serving.accounts.settings import AccountsSettings

SHORTEST = 10
LONGEST = 128

_WAITING_PER_THREAD = 16

Result = TypeVar("Result")


class Passwords:
    """Hashes and verifies in threads of its own; a bounded number waits, so that logins cannot starve the rest."""

    def __init__(self, settings: AccountsSettings) -> None:
        self._hasher = PasswordHasher(
            time_cost=2, parallelism=1, memory_cost=settings.password_memory_kib, type=Type.ID
        )
        self._threads = ThreadPoolExecutor(settings.password_threads, thread_name_prefix="passwords")
        self._most = settings.password_threads * (1 + _WAITING_PER_THREAD)
        self._busy = 0
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    async def hash(self, password: str) -> str:
        """A hash with a salt of its own.

        Raises:
            UnavailableError: Too many are waiting.
        """
        return await self._in_thread(lambda: self.hash_now(password))

    def hash_now(self, password: str) -> str:
        """A hash with a salt of its own; takes its time."""
        return self._hasher.hash(_normal(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether a password is the stored one; none, for a name that nobody has, takes as long and is never right.

        Raises:
            UnavailableError: Too many are waiting.
        """
        right = await self._in_thread(lambda: self._verify(stored or self._nobody, password))
        return right and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than are set now."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, _normal(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        if self._busy >= self._most:
            raise UnavailableError("too many logins at once")
        self._busy += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._done)
        return await future

    def _done(self, _: object) -> None:
        self._busy -= 1


def check_password(name: str, password: str) -> None:
    """Refuse a password that is easily guessed, or so long that hashing it is an attack.

    Raises:
        InvalidAccountError: It is.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidAccountError("the password is too short or too long", f"use {SHORTEST} to {LONGEST} characters")
    if name in password.casefold() or len(set(password)) < SHORTEST // 2:
        raise InvalidAccountError("the password is too easily guessed", "use one without your name and repetitions")


def _normal(password: str) -> bytes:
    # The same letters are not the same bytes on every keyboard.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
