"""All that has to do with accounts, behind one door."""

import asyncio
import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from serving.accounts import logins, tokens, users
from serving.accounts.attempts import Attempts
from serving.accounts.database import Database
from serving.accounts.errors import (
    NameTakenError,
    SchemaError,
    UnauthorizedError,
    UnavailableError,
    UnknownUserError,
    WrongPasswordError,
)
from serving.accounts.gatekeeper import Gatekeeper
from serving.accounts.logins import Identity
from serving.accounts.passwords import Passwords, check_password
from serving.accounts.settings import AccountsSettings
from serving.accounts.tables import MEMBER, User
from serving.accounts.usage import Page, Usage, usage_of, usages
from serving.accounts.users import NewUser

_SWEEP_SECONDS = 600.0

_log = logging.getLogger(__name__)


def now_utc() -> datetime:
    """The time."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Attempted:
    """A name and a password as somebody typed them, and where that was."""

    name: str
    password: str = field(repr=False)
    address: str


@dataclass(frozen=True)
class LoggedIn:
    """A login, and for somebody who has just registered the first API token; neither is shown again."""

    name: str
    roles: tuple[str, ...]
    login_token: str = field(repr=False)
    expires_at: datetime
    api_token: str | None = field(default=None, repr=False)


class Accounts:
    """Registers, logs in and recognises users; its gatekeeper admits their calls."""

    def __init__(self, settings: AccountsSettings, clock: Callable[[], datetime] = now_utc) -> None:
        self.settings = settings
        self.clock = clock
        self.database = Database(settings)
        self.gatekeeper = Gatekeeper(self.database, settings, clock)
        self._passwords = Passwords(settings)
        self._attempts = Attempts(settings)
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Make the tables of the embedded database; a server that is down is waited for while others are served.

        Raises:
            SchemaError: The server is there and its tables are of another release.
        """
        try:
            await asyncio.to_thread(self.database.prepare)
        except SchemaError:
            raise
        except UnavailableError as error:
            _log.warning("accounts start without their database: %s", error)
        self._sweeper = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        """Give back what is set aside, and let go of everything."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        await self.gatekeeper.close()
        self._passwords.close()
        self.database.close()

    async def problem(self) -> str | None:
        """Why accounts are not ready, in words; none where they are."""
        try:
            await self.database.read(lambda session: session.connection())
        except UnavailableError as error:
            return str(error)
        return None

    async def register(self, attempted: Attempted) -> LoggedIn:
        """A new member with a login and an API token.

        Raises:
            InvalidAccountError: The name or the password does not meet the rules.
            NameTakenError: Somebody has the name.
            TooManyAttemptsError: Too many registered from there.
        """
        name = users.normal_name(attempted.name)
        check_password(name, attempted.password)
        if not await self.database.write(functools.partial(self._may_register, address=attempted.address)):
            raise self._attempts.refusal()
        if await self.database.read(lambda session: users.find(session, name)):
            raise NameTakenError("the name is taken", "choose another, or log in")
        new = NewUser(name, await self._passwords.hash(attempted.password), (MEMBER,))
        return await self.database.write(functools.partial(self._add, new=new))

    async def log_in(self, attempted: Attempted) -> LoggedIn:
        """A login for a name and its password.

        Raises:
            UnknownUserError: Nobody has the name.
            WrongPasswordError: The password is another.
            TooManyAttemptsError: It was tried too often.
        """
        name = attempted.name.strip().casefold()
        allowed, user = await self.database.write(functools.partial(self._may_log_in, name=name, attempted=attempted))
        if not allowed:
            raise self._attempts.refusal()
        right = await self._passwords.verify(user.password_hash if user else None, attempted.password)
        if user is None:
            raise UnknownUserError("nobody has this name", "register, or check how the name is written")
        if not right:
            raise WrongPasswordError("the password is wrong", "check how it is written")
        better = await self._better_hash(user, attempted.password)
        return await self.database.write(functools.partial(self._enter, user=user, attempted=attempted, better=better))

    async def identify(self, token: str | None) -> Identity:
        """Who a login or an API token belongs to; asks the database, so that a revoked one is dead at once.

        Raises:
            UnauthorizedError: To nobody, or not any more.
        """
        if token is None:
            raise UnauthorizedError("this needs a token", "log in and send Authorization: Bearer <token>")
        if not tokens.has_shape(token):
            raise UnauthorizedError("the token is unknown, revoked or expired", "log in again")
        return await self.database.read(lambda session: logins.identify(session, token, self.clock()))

    def usage(self, session: Session, user_id: int) -> Usage:
        """One user's month."""
        return usage_of(session, user_id, self.clock(), self.settings.monthly_calls)

    def usages(self, session: Session, page: Page) -> list[Usage]:
        """Many users' month."""
        return usages(session, page, self.clock(), self.settings.monthly_calls)

    async def _better_hash(self, user: User, password: str) -> str | None:
        return await self._passwords.hash(password) if self._passwords.is_outdated(user.password_hash) else None

    def _may_register(self, session: Session, address: str) -> bool:
        return self._attempts.registration(session, address, self.clock())

    def _may_log_in(self, session: Session, name: str, attempted: Attempted) -> tuple[bool, User | None]:
        allowed = self._attempts.login(session, name, attempted.address, self.clock())
        return allowed, users.find(session, name)

    def _add(self, session: Session, new: NewUser) -> LoggedIn:
        user, api_token = users.add(session, new, self.clock())
        return self._open(session, user, api_token)

    def _enter(self, session: Session, user: User, attempted: Attempted, better: str | None) -> LoggedIn:
        self._attempts.forgive(session, user.name, attempted.address)
        current = session.get_one(User, user.id)
        current.password_hash = better or current.password_hash
        return self._open(session, current)

    def _open(self, session: Session, user: User, api_token: str | None = None) -> LoggedIn:
        now = self.clock()
        expires_at = now + timedelta(days=self.settings.login_days)
        login_token = logins.open_login(session, user.id, now, expires_at)
        return LoggedIn(user.name, tuple(sorted(role.name for role in user.roles)), login_token, expires_at, api_token)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await self.database.write(self.forget_expired)
            except UnavailableError:
                _log.debug("the database is down; what expired stays for another round")

    def forget_expired(self, session: Session) -> None:
        """Delete logins and attempts that are over."""
        now = self.clock()
        logins.forget_expired(session, now)
        self._attempts.forget_expired(session, now)
