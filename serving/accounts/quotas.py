"""Calls of a month: set aside in blocks by one atomic statement, given back, counted."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from sqlalchemy import ColumnElement, Integer, Select, Table, and_, bindparam, case, select, union_all, update
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
    taken = _take(session, wanted, otherwise) if wanted.calls > 0 else None
    if taken is not None:
        return taken
    whose = {"whose": wanted.user_id, "otherwise": otherwise}
    return Lease(0, 0, session.connection().execute(_LIMIT, whose).scalar_one())


def exchange(session: Session, unused: Collection[Wanted], wanted: Wanted, otherwise: int) -> Lease:
    """Give back what the user had set aside otherwise, then set calls aside."""
    give_back(session, unused)
    return lease(session, wanted, otherwise)


def _take(session: Session, wanted: Wanted, otherwise: int) -> Lease | None:
    lease = _try_to_take(session, wanted, otherwise)
    if lease is None and _new_month(session, wanted):
        lease = _try_to_take(session, wanted, otherwise)
    return lease


def _try_to_take(session: Session, wanted: Wanted, otherwise: int) -> Lease | None:
    values = {"whose": wanted.user_id, "which": wanted.month, "wanted": wanted.calls, "otherwise": otherwise}
    row = session.connection().execute(_TAKE, values).one_or_none()
    return None if row is None else Lease(row.block, row.most - row.used, row.most)


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


# What calls wait for is made once, of tables and not of classes: to put such a statement together takes longer than to
# run it, and one statement is one way to the database and back.

_LIMIT = select(limit_of_user(bindparam("otherwise", type_=Integer))).where(User.id == bindparam("whose"))


def _taking() -> ReturningUpdate[int, int, int]:
    row = cast(Table, UserApiConsumption.__table__)
    wanted, most = bindparam("wanted", type_=Integer), _LIMIT.scalar_subquery()
    left = most - row.c.used
    block = case((left >= wanted * SHARE, wanted), (left >= SHARE, left // SHARE), else_=1)
    this_month = and_(row.c.user_id == bindparam("whose"), row.c.month == bindparam("which"), left > 0)
    taking = update(row).where(this_month).values(block=block, used=row.c.used + block)
    return taking.returning(row.c.used, row.c.block, most.label("most"))


_TAKE = _taking()


def _owning(token: type[ApiToken] | type[Login]) -> Select[str, int, int]:
    limit = limit_of_user(bindparam("otherwise", type_=Integer))
    return select(token.hash, User.id, limit).join(User).where(token.hash.in_(bindparam("hashes", expanding=True)))


_OWNERS = union_all(_owning(ApiToken), _owning(Login).where(Login.expires_at > bindparam("now", type_=Moment())))
