"""Calls of a month: set aside in blocks by one atomic statement, given back, counted."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, case, select, union_all, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from serving.accounts.tables import ApiToken, Login, Moment, User, UserApiConsumption
from serving.accounts.users import limit_of_user

SHARE = 8
"""A block is at most this part of what is left, so that near the end little lies unused in other processes."""


@dataclass(frozen=True)
class Owner:
    """Whose token it is, and how many calls a month that makes."""

    user_id: int
    limit: int


@dataclass(frozen=True)
class Lease:
    """Calls that are set aside.

    Attributes:
        calls: How many; 0 where the month's are used up.
        unleased: How many are left besides, for whichever process asks first.
        limit: Calls a month.
    """

    calls: int
    unleased: int
    limit: int


@dataclass(frozen=True)
class Wanted:
    """Calls that a process would set aside."""

    user_id: int
    month: date
    calls: int


@dataclass(frozen=True)
class Question:
    """Whose tokens are these?

    Attributes:
        hashes: Of API tokens and of logins.
        now: A login that ends later is good.
        otherwise: Calls a month for whom neither user nor role has a limit.
    """

    hashes: Collection[str]
    now: datetime
    otherwise: int


def owners(session: Session, question: Question) -> dict[str, Owner]:
    """Whose tokens these are; a token that is not among the keys is unknown, revoked or expired."""
    asked = {"hashes": list(question.hashes), "now": question.now, "otherwise": question.otherwise}
    rows = session.execute(_OWNERS, asked)
    return {token: Owner(user_id, limit) for token, user_id, limit in rows}


def lease(session: Session, wanted: Wanted, otherwise: int) -> Lease:
    """Set calls aside: as many as wanted, fewer near the end of the quota, none past it.

    The statement reads and adds in one, under the row's lock, so that processes together never get more than the limit.
    """
    limit = session.execute(_LIMIT, {"whose": wanted.user_id, "otherwise": otherwise}).scalar_one()
    if wanted.calls > 0 and (row := _take(session, wanted, limit)) is not None:
        return Lease(row[1], limit - row[0], limit)
    return Lease(0, 0, limit)


def exchange(session: Session, unused: Collection[Wanted], wanted: Wanted, otherwise: int) -> Lease:
    """Give back what the user had set aside otherwise, then set calls aside."""
    give_back(session, unused)
    return lease(session, wanted, otherwise)


def _take(session: Session, wanted: Wanted, limit: int) -> tuple[int, int] | None:
    values = {"whose": wanted.user_id, "which": wanted.month, "calls": wanted.calls, "share": SHARE, "most": limit}
    row = session.execute(_TAKE, values).one_or_none()
    if row is None and _new_month(session, wanted):
        row = session.execute(_TAKE, values).one_or_none()
    return None if row is None else (row.used, row.block)


def _new_month(session: Session, wanted: Wanted) -> bool:
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = insert(UserApiConsumption).values(user_id=wanted.user_id, month=wanted.month, used=0, block=0)
    added = session.execute(row.on_conflict_do_nothing().returning(UserApiConsumption.user_id))
    return added.one_or_none() is not None


def give_back(session: Session, unused: Collection[Wanted]) -> None:
    """Return calls that were set aside and not made."""
    for block in sorted(unused, key=lambda block: (block.user_id, block.month)):  # In one order everywhere.
        row = update(UserApiConsumption).where(_row(block), UserApiConsumption.used >= block.calls)
        session.execute(row.values(used=UserApiConsumption.used - block.calls))


def used(session: Session, user_id: int, month: date) -> int:
    """Calls of a user in a month, made or set aside."""
    found = select(UserApiConsumption.used).where(
        UserApiConsumption.user_id == user_id, UserApiConsumption.month == month
    )
    return session.scalar(found) or 0


def _row(wanted: Wanted) -> ColumnElement[bool]:
    return and_(UserApiConsumption.user_id == wanted.user_id, UserApiConsumption.month == wanted.month)


# What calls wait for is made once: putting such a statement together takes longer than running it.


def _taking() -> ReturningUpdate[int, int]:
    used, calls, share = UserApiConsumption.used, bindparam("calls", type_=Integer), bindparam("share", type_=Integer)
    left = bindparam("most", type_=Integer) - used
    block = case((left >= calls * share, calls), (left >= share, left // share), else_=1)
    this_month = and_(UserApiConsumption.user_id == bindparam("whose"), UserApiConsumption.month == bindparam("which"))
    taking = update(UserApiConsumption).where(this_month, left > 0).values(block=block, used=used + block)
    return taking.returning(used, UserApiConsumption.block).execution_options(synchronize_session=False)


_TAKE = _taking()
_LIMIT = select(limit_of_user(bindparam("otherwise", type_=Integer))).where(User.id == bindparam("whose"))


def _owning(token: type[ApiToken] | type[Login]) -> Select[str, int, int]:
    limit = limit_of_user(bindparam("otherwise", type_=Integer))
    return select(token.hash, User.id, limit).join(User).where(token.hash.in_(bindparam("hashes", expanding=True)))


_OWNERS = union_all(_owning(ApiToken), _owning(Login).where(Login.expires_at > bindparam("now", type_=Moment())))
