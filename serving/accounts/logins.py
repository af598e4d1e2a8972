"""Logins: they last ten days, and a revoked one is dead at once, because each use asks the database."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from serving.accounts.errors import ForbiddenError, UnauthorizedError
from serving.accounts.tables import ADMIN, ApiToken, Login, User
from serving.accounts.tokens import LOGIN, hash_of, new_token


@dataclass(frozen=True)
class Identity:
    """Who asks."""

    user_id: int
    name: str
    roles: frozenset[str]

    def must_be_admin(self) -> None:
        """Refuse everybody else.

        Raises:
            ForbiddenError: The role is missing.
        """
        if ADMIN not in self.roles:
            raise ForbiddenError("only an admin may do this", "ask an admin to do it, or to make you one")


def open_login(session: Session, user_id: int, now: datetime, expires_at: datetime) -> str:
    """Store a new login; returns its token, for the only time."""
    token = new_token(LOGIN)
    session.add(Login(user_id=user_id, hash=hash_of(token), created_at=now, expires_at=expires_at))
    return token


def close_login(session: Session, token: str) -> None:
    """Revoke one login."""
    session.execute(delete(Login).where(Login.hash == hash_of(token)))


def close_logins(session: Session, user_id: int) -> int:
    """Revoke every login of a user; returns how many there were."""
    return len(session.execute(delete(Login).where(Login.user_id == user_id).returning(Login.id)).all())


def forget_expired(session: Session, now: datetime) -> None:
    """Delete logins that are over."""
    session.execute(delete(Login).where(Login.expires_at <= now))


def identify(session: Session, token: str, now: datetime) -> Identity:
    """Who a login or an API token belongs to.

    Raises:
        UnauthorizedError: To nobody, or not any more.
    """
    user = session.scalar(_of_login(token, now) if token.startswith(LOGIN) else _of_api_token(token))
    if user is None:
        raise UnauthorizedError("the token is unknown, revoked or expired", "log in again")
    return Identity(user.id, user.name, frozenset(role.name for role in user.roles))


def _of_login(token: str, now: datetime) -> Select[User]:
    return select(User).join(Login).where(Login.hash == hash_of(token), Login.expires_at > now)


def _of_api_token(token: str) -> Select[User]:
    return select(User).join(ApiToken).where(ApiToken.hash == hash_of(token))
