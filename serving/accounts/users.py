"""Users, their roles and their plans."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from serving.accounts import logins, tokens
from serving.accounts.errors import InvalidAccountError, LastAdminError, NameTakenError, NotFoundError
from serving.accounts.months import first_day
from serving.accounts.tables import ADMIN, Role, User, UserApiConsumption, UserRole

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{2,63}")


@dataclass(frozen=True)
class NewUser:
    """Somebody who registers; the name normalised and the password hashed."""

    name: str
    password_hash: str = field(repr=False)
    roles: tuple[str, ...]


def normal_name(name: str) -> str:
    """A name as it is stored.

    Raises:
        InvalidAccountError: It is not one.
    """
    normal = unicodedata.normalize("NFKC", name).strip().casefold()
    if _NAME.fullmatch(normal) is None:
        raise InvalidAccountError(
            "the name is not valid", "use 3 to 64 letters from a to z, digits or . _ @ + -, a letter or digit first"
        )
    return normal


def find(session: Session, name: str) -> User | None:
    """A user by the normalised name."""
    return session.scalar(select(User).where(User.name == name))


def get(session: Session, name: str) -> User:
    """A user by name as typed.

    Raises:
        NotFoundError: There is none.
    """
    user = find(session, name.strip().casefold())
    if user is None:
        raise NotFoundError("no user of this name", "GET /api/v1/admin/users lists them")
    return user


def add(session: Session, new: NewUser, now: datetime) -> tuple[User, str]:
    """Store a user with a row of consumption; returns the user and the first API token.

    Raises:
        NameTakenError: Somebody has the name.
    """
    has = [_role(session, name) for name in new.roles]
    user = User(name=new.name, password_hash=new.password_hash, created_at=now, roles=has)
    session.add(user)
    try:
        session.flush()
    except IntegrityError as exc:
        raise NameTakenError("the name is taken", "choose another, or log in") from exc
    session.add(UserApiConsumption(user_id=user.id, month=first_day(now)))
    return user, tokens.issue(session, user.id, now)


def renew(session: Session, renewed: NewUser, now: datetime) -> None:
    """Give a user this password and no login, or store one who is not there yet."""
    user = find(session, renewed.name)
    if user is None:
        add(session, renewed, now)
        return
    user.password_hash = renewed.password_hash
    logins.close_logins(session, user.id)


def set_roles(session: Session, name: str, wanted: Collection[str]) -> User:
    """Give a user these roles and no others.

    Raises:
        NotFoundError: No such user or role.
        LastAdminError: Nobody would be admin.
    """
    admin = session.scalars(select(Role).where(Role.name == ADMIN).with_for_update()).one()  # One change at a time.
    user = get(session, name)
    user.roles = [_role(session, role) for role in sorted(set(wanted))]
    session.flush()
    if session.scalar(select(func.count()).select_from(UserRole).where(UserRole.role_id == admin.id)) == 0:
        raise LastAdminError(f"{user.name} is the last admin", "make somebody else an admin first")
    return user


def set_limit(session: Session, name: str, limit: int | None) -> User:
    """Give a user a limit of calls a month, or none of its own.

    Raises:
        NotFoundError: No such user.
    """
    user = get(session, name)
    user.monthly_limit = limit
    return user


def roles(session: Session) -> list[Role]:
    """Every role, by name."""
    return list(session.scalars(select(Role).order_by(Role.name)))


def set_plan(session: Session, role: str, limit: int | None) -> Role:
    """Give a role a limit of calls a month, or that of the settings.

    Raises:
        NotFoundError: No such role.
    """
    found = _role(session, role)
    found.monthly_limit = limit
    return found


def limit_of_user(otherwise: int | ColumnElement[int]) -> ColumnElement[int]:
    """Calls a month: the user's own limit, else the most that a role gives, else that of the settings."""
    of_roles = select(func.max(Role.monthly_limit)).join(UserRole).where(UserRole.user_id == User.id).correlate(User)
    return func.coalesce(User.monthly_limit, of_roles.scalar_subquery(), otherwise)


def _role(session: Session, name: str) -> Role:
    role = session.scalar(select(Role).where(Role.name == name))
    if role is None:
        raise NotFoundError(f"no role {name!r}", "there are admin and member")
    return role
