"""The tables of accounts; all times are in UTC, because SQLite stores no zone."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Date, DateTime, ForeignKey, MetaData, String, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

ADMIN = "admin"
MEMBER = "member"

_HASH = String(64)
_NAME = String(64)


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can refer to it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True), date: Date}  # noqa: RUF012


class UserRole(Base):
    """A role of a user."""

    __tablename__ = "user_roles"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id"), primary_key=True)


class Role(Base):
    """A role with its calls a month; None: those of the settings."""

    __tablename__ = "roles"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(_NAME, unique=True)
    monthly_limit: Mapped[int | None]


class User(Base):
    """A user with a normalised name and an argon2id hash; without a limit, the largest of the roles applies."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(_NAME, unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str | None] = mapped_column(_HASH, index=True, unique=True)  # of an OpenID Connect issuer
    monthly_limit: Mapped[int | None]
    created_at: Mapped[datetime]
    roles: Mapped[list[Role]] = relationship(secondary=UserRole.__table__, order_by=Role.name)

    @property
    def role_names(self) -> list[str]:
        """Names of the roles, in alphabetical order."""
        return [role.name for role in self.roles]


class TokenMixin:
    """Columns of tokens that are not revoked; a token is stored as its SHA-256, hexadecimal."""

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    hash: Mapped[str] = mapped_column(_HASH, unique=True)
    created_at: Mapped[datetime]


class ApiToken(TokenMixin, Base):
    """An API token; it does not expire."""

    __tablename__ = "api_tokens"


class Login(TokenMixin, Base):
    """A login token."""

    __tablename__ = "logins"

    expires_at: Mapped[datetime] = mapped_column(index=True)


class UserApiConsumption(Base):
    """Calls of a user in the month that begins on a day, UTC: made, or leased by an API process; and the last lease."""

    __tablename__ = "user_api_consumptions"
    __table_args__ = (CheckConstraint("used >= 0", name="used"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column(default=0)
    block: Mapped[int] = mapped_column(default=0)


class Attempt(Base):
    """Number of login attempts or registrations since a time, by SHA-256 of a name, an address or both."""

    __tablename__ = "attempts"

    key: Mapped[str] = mapped_column(_HASH, primary_key=True)
    since: Mapped[datetime] = mapped_column(index=True)
    count: Mapped[int]


class AlertRule(Base):
    """A rule of a user, and when its last message was sent and of which forecast; ``secret`` is its destination."""

    __tablename__ = "alert_rules"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    pair: Mapped[str] = mapped_column(_NAME)
    rule: Mapped[dict[str, Any]] = mapped_column(JSON)
    service: Mapped[str] = mapped_column(String(16))
    secret: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    forecast_at: Mapped[datetime | None]
    delivered: Mapped[bool | None]

    @property
    def destination(self) -> str:
        """Without its secrets."""
        return f"{self.service}://***"


def upsert(session: Session, table: type[Base]) -> "postgresql.Insert | sqlite.Insert":
    """An INSERT that supports ON CONFLICT, in the dialect of the session."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    return insert(table)


def first_day(now: datetime) -> date:
    """The first day of the month, UTC."""
    return now.astimezone(UTC).date().replace(day=1)


def next_month(now: datetime) -> datetime:
    """The start of the next month, UTC."""
    first = first_day(now)
    return datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=UTC)
