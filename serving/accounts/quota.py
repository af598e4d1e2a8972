"""Count the calls of a month: exact over all processes, without a database statement a call."""

import asyncio
import functools
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple, cast

from sqlalchemy import Integer, Table, and_, bindparam, case, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from serving.accounts.database import Database, Result, Work, spawn
from serving.accounts.tables import User, UserApiConsumption, first_day, next_month, upsert
from serving.accounts.tokens import Owner
from serving.accounts.users import limit_of_user
from serving.errors import QuotaError, UnavailableError, UncertainError, quota_headers
from serving.settings import Settings

UNLEASED_SHARE = 8
"""A lease is at most this part of the calls that are left, so that few are unused in other processes near the end."""

Calls = Counter[tuple[int, date]]
"""Calls by user and month."""

_log = logging.getLogger(__name__)


class QuotaGrant(NamedTuple):
    """One counted call.

    ``remaining`` is exact if this process is the only one; otherwise others may have used or may return some calls.
    """

    user_id: int
    month: date
    limit: int
    remaining: int
    reset_at: datetime
    granted_at: datetime

    def headers(self) -> dict[str, str]:
        """The headers of the response about its quota."""
        return quota_headers(self.limit, self.remaining, self.reset_at, self.granted_at)


@dataclass(slots=True)
class Lease:
    """Calls of a user that this process has reserved in the database; times in seconds since 1970."""

    month: date
    reset_at: datetime
    limit: int
    used_at: float
    left: int = 0
    """Reserved calls that were not made yet."""
    unleased: int = 0
    """Calls that no process had reserved at the last refill."""
    exhausted_until: float = 0.0
    """The database had no calls left; it is queried again from this time on."""


class QuotaService:
    """Grants the calls of one process from leases; belongs to one event loop.

    A lease is refilled in the background when a quarter of it is left. Leases that are idle are returned. A killed
    process loses the calls that it had leased; no call is ever granted twice.
    """

    def __init__(self, database: Database, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._leases: dict[int, Lease] = {}
        self._refills: dict[int, asyncio.Task[None]] = {}
        self._unused: Calls = Counter()
        self._returning: Calls = Counter()
        self._closed = False

    async def acquire(self, owner: Owner) -> QuotaGrant:
        """Count a call; UnavailableError if the database is down and no leased calls are left."""
        if self._closed:
            raise UnavailableError("this process is shutting down")
        while True:
            now = self._clock()
            lease = self._leases.get(owner.user_id)
            if lease is None or now >= lease.reset_at or lease.limit != owner.limit:
                self._end_lease(owner.user_id)
                lease = Lease(first_day(now), next_month(now), owner.limit, now.timestamp())
                self._leases[owner.user_id] = lease
            if lease.left:
                lease.left -= 1
                lease.used_at = now.timestamp()
                is_low = lease.left <= self._lease_size(lease.limit) // 4
                if is_low and lease.unleased and not self._database.failing:
                    self._refill(owner.user_id, lease)
                remaining = lease.left + lease.unleased
                return QuotaGrant(owner.user_id, lease.month, lease.limit, remaining, lease.reset_at, now)
            if now.timestamp() < lease.exhausted_until:
                raise QuotaError(lease.limit, lease.reset_at, now)
            await self._database.wait(self._refill(owner.user_id, lease))

    def refund(self, grant: QuotaGrant) -> None:
        """Uncount a call that failed."""
        lease = self._leases.get(grant.user_id)
        if lease and lease.month == grant.month:
            lease.left += 1
        else:
            self._unused[grant.user_id, grant.month] += 1

    def leased(self, user_id: int, limit: int) -> tuple[int, int]:
        """Calls of this month that this process has leased and not made, and those moving to or from the database."""
        lease, month = self._leases.get(user_id), first_day(self._clock())
        held = self._unused[user_id, month] + (lease.left if lease and lease.month == month else 0)
        moving = self._returning[user_id, month] + (self._lease_size(limit) if user_id in self._refills else 0)
        return held, moving

    async def return_idle(self) -> None:
        """Return the leases without a recent call, and refunded calls."""
        if self._database.failing:
            return
        now = self._clock().timestamp()
        for user_id, lease in list(self._leases.items()):
            if not 0 <= now - lease.used_at < self._settings.block_idle_seconds:
                self._end_lease(user_id)
        await self._return_unused()

    async def close(self) -> None:
        """Refuse further calls and return all leases."""
        self._closed = True
        if self._refills:
            await asyncio.wait(self._refills.values(), timeout=self._settings.database_seconds)
        for user_id in list(self._leases):
            self._end_lease(user_id)
        try:
            await asyncio.wait_for(self._return_unused(), self._settings.database_seconds)
        except (TimeoutError, UnavailableError):
            if lost := (self._unused + self._returning).total():
                _log.warning("up to %d unused calls stay counted: the accounts database did not answer", lost)

    def _end_lease(self, user_id: int) -> None:
        lease = self._leases.pop(user_id, None)
        if lease is not None and lease.left:
            self._unused[user_id, lease.month] += lease.left

    def _lease_size(self, limit: int) -> int:
        return max(self._settings.block_calls, min(limit // 10, 1_000))  # docs/adr/0016

    def _refill(self, user_id: int, lease: Lease) -> "asyncio.Task[None]":
        """The refill of a user's lease that is running, or a new one."""
        if user_id not in self._refills:
            self._refills[user_id] = spawn(self._lease_more(user_id, lease))
        return self._refills[user_id]

    async def _lease_more(self, user_id: int, lease: Lease) -> None:
        unused = Counter({key: self._unused.pop(key) for key in list(self._unused) if key[0] == user_id})
        calls, default = self._lease_size(lease.limit) - lease.left, self._settings.monthly_calls

        def exchange(session: Session) -> tuple[int, int]:
            give_back(session, unused)
            return lease_calls(session, user_id, lease.month, calls, default)

        try:
            leased, unleased = await self._send(unused, exchange)
        finally:
            del self._refills[user_id]  # Not in a callback: until that runs, a caller would wait without yielding.
        if self._leases.get(user_id) is not lease:  # It has ended: the month, or the limit.
            self._unused[user_id, lease.month] += leased
            return
        lease.left += leased
        lease.unleased = unleased
        if not leased:
            lease.exhausted_until = self._clock().timestamp() + 1

    async def _return_unused(self) -> None:
        unused, self._unused = self._unused, Counter()
        if unused:
            await asyncio.shield(self._send(unused, functools.partial(give_back, unused=unused)))

    async def _send(self, unused: Calls, work: Work[Result]) -> Result:
        """Run work that returns unused calls; they are returned later if nothing was written."""
        self._returning += unused
        try:
            return await self._database.start(work)
        except UncertainError:
            calls = unused.total()
            _log.warning("up to %d unused calls stay counted: the accounts database failed during a commit", calls)
            raise
        except UnavailableError:
            self._unused.update(unused)
            raise
        finally:
            self._returning -= unused


def give_back(session: Session, unused: Mapping[tuple[int, date], int]) -> None:
    """Return calls that were leased and not made."""
    row = UserApiConsumption
    for (user_id, month), calls in sorted(unused.items()):  # The same order everywhere prevents deadlocks.
        consumption = update(row).where(row.user_id == user_id, row.month == month, row.used >= calls)
        session.execute(consumption.values(used=row.used - calls))


def lease_calls(session: Session, user_id: int, month: date, calls: int, default_limit: int) -> tuple[int, int]:
    """Lease as many calls as requested, fewer near the end of the quota, none beyond it.

    The statement reads and adds under the lock of the row, so that all processes together never exceed the limit.

    Returns:
        The calls, and those that no process has leased.
    """
    values = {"user": user_id, "in_month": month, "calls": calls, "default": default_limit}
    leased = session.connection().execute(_LEASE, values).one_or_none()
    if leased is None:  # The calls are used up, or the month has no row yet.
        row = upsert(session, UserApiConsumption).values(user_id=user_id, month=month, used=0, block=0)
        session.execute(row.on_conflict_do_nothing())
        leased = session.connection().execute(_LEASE, values).one_or_none()
    return (0, 0) if leased is None else (leased.block, max(0, leased.limit - leased.used))


def _lease_statement() -> ReturningUpdate[int, int, int]:
    row = cast(Table, UserApiConsumption.__table__)
    limit = select(limit_of_user(bindparam("default", type_=Integer))).where(User.id == bindparam("user"))
    left, calls = limit.scalar_subquery() - row.c.used, bindparam("calls", type_=Integer)
    block = case((left >= calls * UNLEASED_SHARE, calls), (left >= UNLEASED_SHARE, left // UNLEASED_SHARE), else_=1)
    of_month = and_(row.c.user_id == bindparam("user"), row.c.month == bindparam("in_month"), left > 0)
    statement = update(row).where(of_month).values(block=block, used=row.c.used + block)
    return statement.returning(row.c.used, row.c.block, limit.scalar_subquery().label("limit"))


_LEASE = _lease_statement()
"""Built once, because building it takes longer than running it."""
