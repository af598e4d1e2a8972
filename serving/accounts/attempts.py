"""Limits on attempts, in the database, so that every process counts the same ones."""

import hashlib
import ipaddress
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from serving.accounts.errors import TooManyAttemptsError
from serving.accounts.settings import AccountsSettings
from serving.accounts.tables import Attempt

_FOR_EITHER_ALONE = 10


class Attempts:
    """Counts an attempt before it is made, so that many at once get no more than many in a row."""

    def __init__(self, settings: AccountsSettings) -> None:
        self._settings = settings
        self._window = timedelta(minutes=settings.attempt_minutes)

    def login(self, session: Session, name: str, address: str, now: datetime) -> bool:
        """Count a login; returns whether it may be tried.

        A name alone may fail more often than a name from one address: somebody else cannot easily lock its owner out.
        """
        few = self._settings.login_attempts
        many = few * _FOR_EITHER_ALONE
        place = place_of(address)
        limits = {_key("both", name, place): few, _key("name", name): many, _key("address", place): many}
        return self._count(session, limits, now)

    def forgive(self, session: Session, name: str, address: str) -> None:
        """A login succeeded: it is not counted against the address, and the name begins anew."""
        address_key = _key("address", place_of(address))
        for key in sorted([_key("both", name, place_of(address)), _key("name", name), address_key]):
            row = Attempt.key == key
            less = update(Attempt).where(row, Attempt.count > 0).values(count=Attempt.count - 1)
            session.execute(less if key == address_key else delete(Attempt).where(row))

    def registration(self, session: Session, address: str, now: datetime) -> bool:
        """Count a registration; returns whether it may be tried."""
        return self._count(session, {_key("register", place_of(address)): self._settings.registrations}, now)

    def forget_expired(self, session: Session, now: datetime) -> None:
        """Delete what no window holds any more."""
        over = select(Attempt.key).where(Attempt.since <= now - self._window).with_for_update(skip_locked=True)
        session.execute(delete(Attempt).where(Attempt.key.in_(over)))

    def refusal(self) -> TooManyAttemptsError:
        """What is answered to one too many."""
        return TooManyAttemptsError(int(self._window.total_seconds()))

    def _count(self, session: Session, limits: Mapping[str, int], now: datetime) -> bool:
        # In one order everywhere, or two transactions would wait for each other.
        counts = {key: self._add(session, key, now) for key in sorted(limits)}
        return all(counts[key] <= limit for key, limit in limits.items())

    def _add(self, session: Session, key: str, now: datetime) -> int:
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        over = Attempt.since <= now - self._window
        counted = (
            insert(Attempt)
            .values(key=key, since=now, count=1)
            .on_conflict_do_update(
                index_elements=[Attempt.key],
                set_={
                    "count": case((over, 1), else_=Attempt.count + 1),
                    "since": case((over, now), else_=Attempt.since),
                },
            )
            .returning(Attempt.count)
        )
        return session.execute(counted).scalar_one()


def place_of(address: str) -> str:
    """Where somebody comes from: an IPv4 address, or the /64 that an IPv6 user has whole."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    return str(known.ipv4_mapped or ipaddress.IPv6Network((int(known), 64), strict=False))


def _key(*parts: str) -> str:
    # Hashed: of a fixed length, and what was mistyped as a name (a password, often) is not kept.
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
