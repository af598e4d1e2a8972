"""The accounts of one API process: register, log in, authenticate, count calls."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, selectinload

from make_us_rich.client.schemas import AccountData, Login, LoginTimes, PasswordReset, Registration, Usage
from make_us_rich.domain.run import utc_now
from serving.accounts import tables, tokens, users
from serving.accounts.database import Database
from serving.accounts.logins import LoginThrottle, Passwords, check_password
from serving.accounts.quota import QuotaGrant, QuotaService
from serving.accounts.tables import MEMBER, User, next_month
from serving.accounts.tokens import Authenticator
from serving.errors import ServingError, UnauthorizedError, UnavailableError
from serving.settings import Settings

if TYPE_CHECKING:
    from serving.accounts.oidc import IdTokens

CHECK_SECONDS = 0.4
"""Time between two checks of the tokens in use and of idle leases."""

_log = logging.getLogger(__name__)


class Accounts:
    """Registers users, logs them in and admits their calls."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = utc_now) -> None:
        self.settings = settings
        self.clock = clock
        self.database = Database(settings)
        self.authenticator = Authenticator(self.database, settings, clock)
        self.quota = QuotaService(self.database, settings, clock)
        self._passwords = Passwords(settings)
        self._throttle = LoginThrottle(settings)
        self._id_tokens: IdTokens | None = None
        self._background: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Create the tables of an embedded database and start the background tasks.

        A database that does not answer is no error, but a server whose tables are of another release is.
        """
        try:
            await asyncio.to_thread(self.database.prepare)
        except UnavailableError as error:
            if error.code == "accounts_schema":
                raise
            _log.warning("the API starts without the accounts database: %s", error)

        checks = (self.authenticator.refresh, self.quota.return_idle)
        repeated = [*((check, CHECK_SECONDS) for check in checks), (self.delete_expired, 600.0)]
        self._background = [asyncio.create_task(_repeat(work, seconds)) for work, seconds in repeated]

    async def close(self) -> None:
        """Stop the background tasks, return leased calls and close the database."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.quota.close()
        self._passwords.close()
        self.database.close()

    async def problem(self) -> str | None:
        """The reason why accounts are not ready, if any."""
        try:
            await self.database.read(lambda session: session.connection())
        except UnavailableError as error:
            return str(error)
        return None

    async def admit(self, token: str) -> QuotaGrant:
        """Count a call of the owner of an API token or login token; errors as those of the two steps."""
        return await self.quota.acquire(await self.authenticator.authenticate(token))

    async def register(self, name: str, password: str, address: str) -> Registration:
        """Add a member, with a login and an API token."""
        name, now = users.normalize_name(name), self.clock()
        users.check_name(name)
        check_password(name, password)
        await self._throttle_write(lambda session: self._throttle.register(session, address, now))
        new = User(name=name, password_hash=await self._passwords.hash(password), created_at=now)

        def add(session: Session) -> Registration:
            user = users.add(session, new, [MEMBER])
            api_token = tokens.issue(session, user.id, now)
            return Registration(**self._open_login(session, user).model_dump(), api_token=api_token)

        return await self.database.write(add)

    async def log_in(self, name: str, password: str, address: str) -> Login:
        """Log in a user; the error ``unknown_user`` if the name and the password can be registered."""
        name = users.normalize_name(name)
        await self._throttle_write(lambda session: self._throttle.log_in(session, name, address, self.clock()))
        user = await self.database.read(lambda session: users.find(session, name))
        is_right = await self._passwords.verify(user.password_hash if user else None, password)
        if user is None:
            try:
                users.check_name(name)
                check_password(name, password)
            except ServingError as error:
                message = f"no user has this name, and it cannot be registered: {error.message}"
                raise ServingError(error.code, message, error.remedy) from error
            raise UnauthorizedError("no user has this name", "register, or correct the name", "unknown_user")
        wrong = UnauthorizedError("the password is wrong", "correct it", "wrong_password")
        if not is_right:
            raise wrong
        is_outdated = self._passwords.is_outdated(user.password_hash)
        new_hash = await self._passwords.hash(password) if is_outdated else user.password_hash

        def enter(session: Session) -> Login:
            current = session.get(User, user.id, with_for_update=True)
            if current is None or current.password_hash != user.password_hash:
                raise wrong  # It was changed while it was verified.
            self._throttle.forgive(session, name, address)
            current.password_hash = new_hash
            return self._open_login(session, current)

        return await self.database.write(enter)

    async def log_in_oidc(self, id_token: str) -> Login:
        """Log in the user of an ID token, or add a member without a password; errors as those of `IdTokens.verify`.

        The error is ``not_found`` without an issuer, and ``name_taken`` while another request adds the same user.
        """
        if not (self.settings.oidc_issuer and self.settings.oidc_client_id):
            raise ServingError("not_found", "logins with OpenID Connect are off", "log in with a password")
        from serving.accounts.oidc import IdTokens  # Takes half a second to import, and is off by default.

        self._id_tokens = self._id_tokens or IdTokens(self.settings)
        now = self.clock()
        subject, wanted = await self._id_tokens.verify(id_token, now)

        def enter(session: Session) -> Login:
            user = session.scalar(select(User).where(User.subject == subject).with_for_update())
            if user is None:
                name = users.find_free_name(session, wanted, subject[:8])
                new = User(name=name, password_hash="", subject=subject, created_at=now)  # No password matches it.
                user = users.add(session, new, [MEMBER])
            return self._open_login(session, user)

        return await self.database.write(enter)

    async def offer_reset(self, name: str) -> PasswordReset:
        """A token with which the user can set a new password, once and within a day."""
        now = self.clock()
        expires_at = now + timedelta(days=1)
        token = await self.database.write(
            lambda session: tokens.open_login(session, users.get(session, name).id, now, expires_at, tokens.RESET)
        )
        return PasswordReset(reset_token=token, expires_at=expires_at)

    async def reset_password(self, token: str, new: str) -> Login:
        """Set a new password with a token of `offer_reset` and end all logins; returns a new one.

        Raises:
            ServingError: The token has expired or was used, or the new password does not meet the rules.
        """
        offer = tables.Login
        user = None
        if tokens.RESET_TOKEN.fullmatch(token):
            found = select(User).join(offer).where(offer.hash == tokens.digest(token), offer.expires_at > self.clock())
            user = await self.database.read(lambda session: session.scalar(found))
        if user is None:
            raise ServingError("invalid_request", "the link has expired or was used", "ask an admin for a new one")
        return await self.set_password(user, new)

    async def export(self, user_id: int) -> AccountData:
        """All that is stored of a user but hashes."""

        def collect(session: Session) -> AccountData:
            user = session.get_one(User, user_id, options=[selectinload(User.roles)])
            login, api_token, month = tables.Login, tables.ApiToken, tables.UserApiConsumption
            logins = session.scalars(select(login).where(login.user_id == user_id))
            api_tokens = session.scalars(select(api_token.created_at).where(api_token.user_id == user_id))
            months = session.scalars(select(month).where(month.user_id == user_id))
            return AccountData(
                name=user.name,
                roles=user.role_names,
                created_at=user.created_at,
                monthly_limit=user.monthly_limit,
                logins=[LoginTimes(created_at=each.created_at, expires_at=each.expires_at) for each in logins],
                api_tokens=list(api_tokens),
                alerts=[each.model_dump(mode="json") for each in users.list_alerts(session, user_id)],
                calls={each.month: each.used for each in months},
            )

        return await self.database.read(collect)

    async def set_password(self, user: User, new: str) -> Login:
        """Set a new password and end all logins; returns a new one.

        Raises:
            UnauthorizedError: The password was changed meanwhile.
            ServingError: The new password does not meet the rules.
        """
        check_password(user.name, new)
        new_hash = await self._passwords.hash(new)

        def change(session: Session) -> Login:
            current = session.get_one(User, user.id, with_for_update=True)
            if current.password_hash != user.password_hash:
                raise UnauthorizedError("the password was changed meanwhile", "log in with the new one")
            current.password_hash = new_hash
            tokens.close_logins(session, user.id)
            return self._open_login(session, current)

        login = await self.database.write(change)
        self.authenticator.forget(user.id)
        return login

    async def confirm(self, name: str, password: str, address: str) -> User:
        """The user, whose password is asked for again.

        Raises:
            UnauthorizedError: The password is wrong.
            ServingError: Too many attempts failed.
        """
        await self._throttle_write(lambda session: self._throttle.log_in(session, name, address, self.clock()))
        user = await self.database.read(lambda session: users.get(session, name))
        if not await self._passwords.verify(user.password_hash, password):
            raise UnauthorizedError("the password is wrong", "correct it", "wrong_password")
        await self.database.write(lambda session: self._throttle.forgive(session, name, address))
        return user

    async def usage(self, user_id: int) -> Usage:
        """The calls of a user this month."""
        statement = users.select_usage(self.clock(), self.settings.monthly_calls).where(User.id == user_id)
        user, used, limit = await self.database.read(lambda session: session.execute(statement).one())
        return self.usage_of(user, used, limit)

    def usage_of(self, user: User, used: int, limit: int) -> Usage:
        """The usage of a row of ``select_usage``, without the calls that this process has leased and not made."""
        held, moving = self.quota.leased(user.id, limit)
        used = max(0, used - held)
        return Usage(
            name=user.name,
            roles=user.role_names,
            used=used,
            limit=limit,
            remaining=max(0, limit - used),
            in_flight=held + moving,
            reset_at=next_month(self.clock()),
        )

    async def delete_expired(self) -> None:
        """Delete logins and attempts that have expired."""
        now = self.clock()

        def delete_rows(session: Session) -> None:
            session.execute(delete(tables.Login).where(tables.Login.expires_at <= now))
            users.delete_anonymized(session, now)
            self._throttle.delete_expired(session, now)

        await self.database.write(delete_rows)

    async def _throttle_write(self, count: Callable[[Session], bool]) -> None:
        if not await self.database.write(count):
            seconds = str(int(self._throttle.window.total_seconds()))
            remedy = f"try again in {seconds} s"
            raise ServingError("too_many_attempts", "too many attempts", remedy, {"Retry-After": seconds})

    def _open_login(self, session: Session, user: User) -> Login:
        now = self.clock()
        expires_at = now + timedelta(days=self.settings.login_days)
        token = tokens.open_login(session, user.id, now, expires_at)
        return Login(name=user.name, roles=user.role_names, login_token=token, expires_at=expires_at)


async def _repeat(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except UnavailableError:
            _log.debug("the accounts database is down; the next round tries again")
