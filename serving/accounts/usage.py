"""What users have used of their months."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, Field
from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session, selectinload

from serving.accounts.months import first_day, next_month
from serving.accounts.tables import User, UserApiConsumption
from serving.accounts.users import limit_of_user


@dataclass(frozen=True)
class Usage:
    """A user's month.

    Attributes:
        used: Calls made, and calls that an API process has set aside and not given back yet.
        limit: Calls a month.
        reset_at: When the next month begins, UTC.
    """

    user: User
    used: int
    limit: int
    reset_at: datetime


class Page(BaseModel):
    """Users in the order of their names."""

    search: str = Field("", max_length=64, description="Part of a name")
    after: str = Field("", max_length=64, description="The last name of the page before")
    size: int = Field(100, ge=1, le=1000)


def usage_of(session: Session, user_id: int, now: datetime, otherwise: int) -> Usage:
    """One user's month."""
    user, used, limit = session.execute(_months(now, otherwise).where(User.id == user_id)).one()
    return Usage(user, used, limit, next_month(now))


def usages(session: Session, page: Page, now: datetime, otherwise: int) -> list[Usage]:
    """Many users' month."""
    named = User.name.contains(page.search.casefold(), autoescape=True)
    chosen = _months(now, otherwise).where(User.name > page.after, named).order_by(User.name).limit(page.size)
    return [Usage(user, used, limit, next_month(now)) for user, used, limit in session.execute(chosen).all()]


def total(session: Session, now: datetime) -> tuple[int, int]:
    """How many users there are, and the calls of all of them in the month."""
    calls = func.coalesce(func.sum(UserApiConsumption.used), 0)
    used = session.execute(select(calls).where(UserApiConsumption.month == first_day(now))).scalar_one()
    return session.execute(select(func.count()).select_from(User)).scalar_one(), int(used)


def _months(now: datetime, otherwise: int) -> Select[User, int, int]:
    this_month = and_(UserApiConsumption.user_id == User.id, UserApiConsumption.month == first_day(now))
    used = func.coalesce(UserApiConsumption.used, 0)
    return (
        select(User, used, limit_of_user(otherwise))
        .outerjoin(UserApiConsumption, this_month)
        .options(selectinload(User.roles))
    )
