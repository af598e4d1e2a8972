"""Protect logins: passwords hashed with argon2id, and a limit of attempts that all processes count together."""

import asyncio
import hashlib
import ipaddress
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import case, delete, select, update
from sqlalchemy.orm import Session

from serving.accounts.tables import Attempt, upsert
from serving.errors import ServingError, UnavailableError
from serving.settings import Settings

MIN_LENGTH = 10
MAX_LENGTH = 128
FACTOR_FOR_ONE = 10
"""Factor for a name from all addresses, so that others cannot easily lock a user out, and for an address."""

Result = TypeVar("Result")


class Passwords:
    """Hashes in threads of its own with a bounded queue, so that logins cannot starve other requests."""

    def __init__(self, settings: Settings) -> None:
        memory = settings.password_memory_kib
        self._hasher = PasswordHasher(time_cost=2, parallelism=1, memory_cost=memory, type=Type.ID)
        self._threads = ThreadPoolExecutor(settings.password_threads, thread_name_prefix="passwords")
        self._slots = asyncio.Semaphore(settings.password_threads * (1 + 16))  # One runs, 16 wait.
        self._dummy_hash = self._hasher.hash(secrets.token_hex(16))

    async def hash(self, password: str) -> str:
        """A hash with its own salt; UnavailableError if too many passwords are waiting."""
        return await self._in_thread(lambda: self.hash_now(password))

    def hash_now(self, password: str) -> str:
        """A hash with its own salt; blocks."""
        return self._hasher.hash(_normalize(password).encode("utf-8", "surrogatepass"))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether a password matches a stored hash; without one, verifying takes as long and fails."""

        def verify() -> bool:
            normalized = _normalize(password).encode("utf-8", "surrogatepass")
            try:
                return self._hasher.verify(stored or self._dummy_hash, normalized) and stored is not None
            except (VerificationError, InvalidHashError):
                return False

        return await self._in_thread(verify)

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than the current ones."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        if self._slots.locked():
            raise UnavailableError("too many logins at the same time")
        await self._slots.acquire()
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(lambda _: self._slots.release())
        return await future


def check_password(name: str, password: str) -> None:
    """Raise the error ``invalid_account`` if a password is too short, too long or easily guessed."""
    normalized = _normalize(password)
    if not MIN_LENGTH <= len(normalized) <= MAX_LENGTH:
        remedy = f"use {MIN_LENGTH} to {MAX_LENGTH} characters"
        raise ServingError("invalid_account", "the password is too short or too long", remedy)
    if name in normalized.casefold() or len(set(normalized)) < MIN_LENGTH // 2:
        remedy = "avoid your name and repeated characters"
        raise ServingError("invalid_account", "the password is easily guessed", remedy)


def _normalize(password: str) -> str:
    """Unicode NFKC: keyboards send different code points for the same letters."""
    return unicodedata.normalize("NFKC", password)


class LoginThrottle:
    """Counts an attempt before it is made, so that concurrent attempts are limited like successive ones."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.window = timedelta(minutes=settings.attempt_minutes)

    def log_in(self, session: Session, name: str, address: str, now: datetime) -> bool:
        """Count a login attempt; returns whether it is allowed."""
        limit = self._settings.login_attempts
        limits = [limit, limit * FACTOR_FOR_ONE, limit * FACTOR_FOR_ONE]
        return self._count(session, dict(zip(_login_keys(name, address), limits, strict=True)), now)

    def forgive(self, session: Session, name: str, address: str) -> None:
        """After a successful login: uncount it for the address and reset the counts of the name."""
        keys = _login_keys(name, address)
        for key in sorted(keys):
            row = Attempt.key == key
            decrement = update(Attempt).where(row, Attempt.count > 0).values(count=Attempt.count - 1)
            session.execute(decrement if key == keys[2] else delete(Attempt).where(row))

    def register(self, session: Session, address: str, now: datetime) -> bool:
        """Count a registration; returns whether it is allowed."""
        return self._count(session, {_key("register", network_of(address)): self._settings.registrations}, now)

    def delete_expired(self, session: Session, now: datetime) -> None:
        """Delete counts whose window is over."""
        expired = select(Attempt.key).where(Attempt.since <= now - self.window).with_for_update(skip_locked=True)
        session.execute(delete(Attempt).where(Attempt.key.in_(expired)))

    def _count(self, session: Session, limits: Mapping[str, int], now: datetime) -> bool:
        is_over = Attempt.since <= now - self.window
        count, since = case((is_over, 1), else_=Attempt.count + 1), case((is_over, now), else_=Attempt.since)
        # The same order everywhere prevents deadlocks.
        insert = upsert(session, Attempt).values([{"key": key, "since": now, "count": 1} for key in sorted(limits)])
        counted = insert.on_conflict_do_update(index_elements=[Attempt.key], set_={"count": count, "since": since})
        rows = session.execute(counted.returning(Attempt.key, Attempt.count)).all()
        return all(attempts <= limits[key] for key, attempts in rows)


def network_of(address: str) -> str:
    """An IPv4 address, or the /64 network of an IPv6 address, which one user has as a whole."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.IPv6Network((int(ip), 64), strict=False))


def _login_keys(name: str, address: str) -> tuple[str, str, str]:
    """Of the name from the address, of the name, and of the address."""
    network = network_of(address)
    return _key("both", name, network), _key("name", name), _key("address", network)


def _key(*parts: str) -> str:
    # Hashed, because what is typed as a name is sometimes a password.
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
