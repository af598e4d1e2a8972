"""Users, their names, roles, plans and usage."""

import re
import secrets
import unicodedata
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from make_us_rich.client.alerts import Alert
from serving.accounts.tables import ADMIN, AlertRule, Base, Role, User, UserApiConsumption, UserRole, first_day
from serving.errors import ServingError

NO_HASH = "deleted"
"""In place of a password's hash: no password matches it."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{2,63}")


def normalize_name(name: str) -> str:
    """A name as it is stored and compared: Unicode NFKC, without spaces around it, case folded."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def check_name(name: str) -> None:
    """Raise the error ``invalid_account`` if a normalised name has other characters or another length than allowed."""
    if _NAME.fullmatch(name) is None:
        remedy = "use 3 to 64 letters from a to z, digits or . _ @ + -, a letter or digit first"
        raise ServingError("invalid_account", "the name is not valid", remedy)


def find(session: Session, name: str) -> User | None:
    """A user by the normalised name."""
    return session.scalar(select(User).where(User.name == name))


def find_free_name(session: Session, wanted: str, suffix: str) -> str:
    """The wanted name, normalised, if it is valid and free; otherwise with the suffix of at most 8 characters."""
    name = normalize_name(wanted)
    is_valid = _NAME.fullmatch(name) is not None
    return name if is_valid and find(session, name) is None else f"{name[:55] if is_valid else 'user'}-{suffix}"


def get(session: Session, name: str) -> User:
    """A user by the normalised name; the error ``not_found`` if nobody has it."""
    user = find(session, name)
    if user is None:
        raise ServingError("not_found", "no user has this name", "GET /api/v1/admin/users lists the users")
    return user


def get_role(session: Session, name: str) -> Role:
    """A role; the error ``not_found`` if there is none."""
    role = session.scalar(select(Role).where(Role.name == name))
    if role is None:
        raise ServingError("not_found", f"the role {name!r} is unknown", "use admin or member")
    return role


def add(session: Session, user: User, roles: Collection[str]) -> User:
    """Store a user and the row that counts the calls of this month; the error ``name_taken`` if the name is in use."""
    user.roles = [get_role(session, name) for name in roles]
    session.add(user)
    try:
        session.flush()
    except IntegrityError as exc:
        raise ServingError("name_taken", "the name is taken", "choose another name, or log in") from exc
    session.add(UserApiConsumption(user_id=user.id, month=first_day(user.created_at)))
    return user


def set_roles(session: Session, name: str, roles: Collection[str]) -> User:
    """Replace the roles of a user; the error ``last_admin`` if no admin would be left."""
    # The lock on the role admits one change at a time.
    admin = session.scalars(select(Role).where(Role.name == ADMIN).with_for_update()).one()
    user = get(session, name)
    user.roles = [get_role(session, role) for role in sorted(set(roles))]
    session.flush()
    if session.scalar(select(func.count()).select_from(UserRole).where(UserRole.role_id == admin.id)) == 0:
        raise ServingError("last_admin", f"{user.name} is the last admin", "give another user the role admin first")
    return user


def anonymize(session: Session, name: str) -> None:
    """Delete all that is stored of a user but the calls of the month; the error ``last_admin`` if no admin is left."""
    user = get(session, name)
    if ADMIN in user.role_names:
        set_roles(session, name, ())
    session.refresh(user, with_for_update=True)  # No login may be added beside it.
    for table in Base.metadata.sorted_tables:
        if "user_id" in table.columns and table.name != UserApiConsumption.__tablename__:
            session.execute(delete(table).where(table.c.user_id == user.id))
    user.name, user.password_hash = f"deleted-{secrets.token_hex(8)}", NO_HASH
    user.monthly_limit = user.subject = None


def delete_anonymized(session: Session, now: datetime) -> None:
    """Delete what `anonymize` left, once its month is over."""
    this_month = select(UserApiConsumption.user_id).where(UserApiConsumption.month == first_day(now))
    session.execute(delete(User).where(User.password_hash == NO_HASH, User.id.not_in(this_month)))


def list_alerts(session: Session, user_id: int) -> list[Alert]:
    """The alert rules of a user, oldest first."""
    rules = select(AlertRule).where(AlertRule.user_id == user_id).order_by(AlertRule.created_at, AlertRule.id)
    return [Alert.model_validate(rule, from_attributes=True) for rule in session.scalars(rules)]


def limit_of_user(default: int | ColumnElement[int]) -> ColumnElement[int]:
    """Calls a month: the user's own limit, else the largest limit of the roles, else the default."""
    of_roles = select(func.max(Role.monthly_limit)).join(UserRole).where(UserRole.user_id == User.id).correlate(User)
    return func.coalesce(User.monthly_limit, of_roles.scalar_subquery(), default)


def select_usage(now: datetime, default_limit: int) -> Select[User, int, int]:
    """Users with the calls used this month and the calls a month."""
    of_month = and_(UserApiConsumption.user_id == User.id, UserApiConsumption.month == first_day(now))
    used = func.coalesce(UserApiConsumption.used, 0)
    columns = select(User, used, limit_of_user(default_limit))
    return columns.outerjoin(UserApiConsumption, of_month).options(selectinload(User.roles))
