"""API tokens and logins: random, shown once, stored as hashes, and authenticated from a cache where possible."""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Integer, Select, bindparam, delete, select, union_all
from sqlalchemy.orm import Session, selectinload

from serving.accounts.database import Database
from serving.accounts.tables import ApiToken, Login, User
from serving.accounts.users import limit_of_user
from serving.errors import UnauthorizedError, UnavailableError
from serving.settings import Settings

API = "mur_"
LOGIN = "mul_"
RESET = "mup_"
"""Prefixes by which scanners for leaked secrets recognise tokens."""
RESET_TOKEN = re.compile(RESET + r"[A-Za-z0-9_-]{43}")
MAX_UNKNOWN_TOKENS = 10_000
TOKENS_PER_QUERY = 1_000

_TOKEN = re.compile(r"mu[rl]_[A-Za-z0-9_-]{43}")


@dataclass(slots=True)
class Owner:
    """The user that a token belongs to, and the limit of calls a month; times in seconds since 1970."""

    user_id: int
    limit: int
    checked_at: float
    """When the database last knew the token."""
    used_at: float


def hash_token(token: str) -> str:
    """The hash of an API or login token; UnauthorizedError if the text is neither."""
    if _TOKEN.fullmatch(token) is None:
        raise UnauthorizedError
    return digest(token)


def digest(token: str) -> str:
    """SHA-256, hexadecimal; no salt, because a token is random."""
    return hashlib.sha256(token.encode()).hexdigest()


def open_login(session: Session, user_id: int, now: datetime, expires_at: datetime, prefix: str = LOGIN) -> str:
    """The token of a new login; with the prefix ``RESET``, one that is good for a new password alone."""
    token = prefix + secrets.token_urlsafe(32)
    session.add(Login(user_id=user_id, hash=digest(token), created_at=now, expires_at=expires_at))
    return token


def issue(session: Session, user_id: int, now: datetime) -> str:
    """Replace the API tokens of a user by a new one of 256 random bits."""
    revoke(session, user_id)
    token = API + secrets.token_urlsafe(32)
    session.add(ApiToken(user_id=user_id, hash=hash_token(token), created_at=now))
    return token


def revoke(session: Session, user_id: int) -> None:
    """Revoke the API tokens of a user."""
    session.execute(delete(ApiToken).where(ApiToken.user_id == user_id))


def close_logins(session: Session, user_id: int) -> int:
    """Revoke the logins of a user; returns their number."""
    return len(session.execute(delete(Login).where(Login.user_id == user_id).returning(Login.id)).all())


def _owners_by(token: type[ApiToken] | type[Login]) -> Select[str, int, int]:
    limit = limit_of_user(bindparam("default", type_=Integer))
    return select(token.hash, User.id, limit).join(User).where(token.hash.in_(bindparam("hashes", expanding=True)))


_OWNERS = union_all(
    _owners_by(ApiToken), _owners_by(Login).where(Login.expires_at > bindparam("now", type_=DateTime(timezone=True)))
)
"""Built once, because building it takes longer than running it."""


class Authenticator:
    """Finds the owners of tokens: for API calls from a cache, for the account itself from the database.

    ``refresh`` checks all tokens in use with one query, so that no call waits for it and a token that was revoked in
    another process stops working within a second.
    """

    def __init__(self, database: Database, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._default_limit = settings.monthly_calls
        self._fresh_seconds = settings.token_seconds
        self._outage_seconds = max(settings.outage_seconds, settings.token_seconds)
        self._clock = clock
        self._valid: dict[str, Owner] = {}
        """By hash of the token."""
        self._unknown: dict[str, float] = {}
        """When the database did not know the token, seconds since 1970; oldest first."""
        self._revocations = 0
        self._lookups = 0

    async def authenticate(self, token: str) -> Owner:
        """The owner of an API token or a login token, from the cache where possible.

        UnavailableError if the database is down and the token is not cached.
        """
        key, now = hash_token(token), self._clock().timestamp()
        max_age = self._outage_seconds if self._database.failing else self._fresh_seconds
        owner = self._cached(key, now, max_age)
        # For five seconds an unknown token is not looked up again.
        if owner is None and not 0 <= now - self._unknown.get(key, float("-inf")) < 5:
            owner = await self._look_up(key, now)
        if owner is None:
            raise UnauthorizedError
        return owner

    async def identify(self, token: str | None) -> User:
        """The user of a token, from the database, so that a revoked token is refused at once."""
        if token is None:
            raise UnauthorizedError("a token is missing", "log in and send Authorization: Bearer <token>")
        key, statement = hash_token(token), select(User).options(selectinload(User.roles))
        if token.startswith(LOGIN):
            statement = statement.join(Login).where(Login.hash == key, Login.expires_at > self._clock())
        else:
            statement = statement.join(ApiToken).where(ApiToken.hash == key)
        user = await self._database.read(lambda session: session.scalar(statement))
        if user is None:
            raise UnauthorizedError
        return user

    def forget(self, user_id: int) -> None:
        """Query the tokens and the limit of a user again before the next call."""
        self._revocations += 1
        self._valid = {key: each for key, each in self._valid.items() if each.user_id != user_id}

    async def refresh(self) -> None:
        """Check all tokens in use; drop those that are too old even for an outage."""
        now = self._clock().timestamp()
        self._valid = {key: each for key, each in self._valid.items() if now - each.checked_at < self._outage_seconds}
        active = [key for key, each in self._valid.items() if now - each.used_at < self._fresh_seconds]
        for start in range(0, len(active), TOKENS_PER_QUERY):
            await self._query(active[start : start + TOKENS_PER_QUERY])

    def _cached(self, key: str, now: float, max_age: float) -> Owner | None:
        owner = self._valid.get(key)
        # If the clock was set back, the entry expires instead of living longer.
        if owner is None or not 0 <= now - owner.checked_at < max_age:
            return None
        owner.used_at = now
        return owner

    async def _look_up(self, key: str, now: float) -> Owner | None:
        if self._lookups >= 256:
            raise UnavailableError("too many tokens are being looked up")
        self._lookups += 1
        try:
            return (await self._query([key])).get(key)
        except UnavailableError:
            if owner := self._cached(key, now, self._outage_seconds):
                return owner
            raise
        finally:
            self._lookups -= 1

    async def _query(self, keys: list[str]) -> Mapping[str, Owner]:
        """Look up tokens in the database and update the cache."""
        while True:
            revocations, now = self._revocations, self._clock()
            at, values = now.timestamp(), {"hashes": keys, "now": now, "default": self._default_limit}

            def find(session: Session, at: float = at, values: dict[str, Any] = values) -> dict[str, Owner]:
                return {key: Owner(user_id, limit, at, at) for key, user_id, limit in session.execute(_OWNERS, values)}

            owners = await self._database.read(find)
            if revocations == self._revocations:
                break
            # The result may be older than a revocation in this process.
        for key in keys:
            before = self._valid.pop(key, None)
            self._unknown.pop(key, None)
            if owner := owners.get(key):
                owner.used_at = before.used_at if before else at
                self._valid[key] = owner
            else:
                self._unknown[key] = at
        while len(self._unknown) > MAX_UNKNOWN_TOKENS:
            del self._unknown[next(iter(self._unknown))]
        return owners
