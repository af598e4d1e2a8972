"""The tables of accounts."""

from datetime import UTC, date, datetime

from sqlalchemy import CheckConstraint, Date, DateTime, Dialect, ForeignKey, MetaData, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

ADMIN = "admin"
MEMBER = "member"

_HASH = String(64)
_NAME = String(64)


class Moment(TypeDecorator[datetime]):
    """A time with its zone; SQLite, which knows none, keeps it in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC."""
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """With its zone again."""
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


class Base(DeclarativeBase):
    """Names every constraint, so that a migration can find it again."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Moment, date: Date}  # noqa: RUF012


class UserRole(Base):
    """Who has which role."""

    __tablename__ = "user_roles"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id"), primary_key=True)


class Role(Base):
    """What a user may do, and the plan that comes with it.

    Attributes:
        monthly_limit: Calls a month; none: the setting MAKE_US_RICH_MONTHLY_CALLS.
    """

    __tablename__ = "roles"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(_NAME, unique=True)
    monthly_limit: Mapped[int | None]


class User(Base):
    """Somebody with a name and a password.

    Attributes:
        name: In lower case.
        password_hash: argon2id, with its parameters and salt.
        monthly_limit: Calls a month for this user alone; none: the most that a role of the user gives.
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(_NAME, unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    monthly_limit: Mapped[int | None]
    created_at: Mapped[datetime]
    roles: Mapped[list[Role]] = relationship(secondary=UserRole.__table__, order_by=Role.name)


class ApiToken(Base):
    """A token that has not been revoked.

    Attributes:
        hash: SHA-256 of the token, hexadecimal; the token has 256 random bits, so that no salt is needed.
    """

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    hash: Mapped[str] = mapped_column(_HASH, unique=True)
    created_at: Mapped[datetime]


class UserApiConsumption(Base):
    """Calls of a user in a month.

    Attributes:
        month: Its first day, UTC.
        used: Calls made, and calls that an API process has set aside.
        block: How many the last process that asked got.
    """

    __tablename__ = "user_api_consumptions"
    __table_args__ = (CheckConstraint("used >= 0", name="used"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column(default=0)
    block: Mapped[int] = mapped_column(default=0)


class Login(Base):
    """A login that has not been revoked.

    Attributes:
        hash: SHA-256 of its token, as for API tokens.
    """

    __tablename__ = "logins"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    hash: Mapped[str] = mapped_column(_HASH, unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Attempt(Base):
    """How often something was tried since a window began.

    Attributes:
        key: What is limited: SHA-256 of a name, an address or both.
        since: When the window began.
    """

    __tablename__ = "attempts"

    key: Mapped[str] = mapped_column(_HASH, primary_key=True)
    since: Mapped[datetime] = mapped_column(index=True)
    count: Mapped[int]
