"""Users, roles, tokens, consumption, logins and attempts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the two roles."""
    roles = op.create_table("roles", *_named(), sa.Column("monthly_limit", sa.Integer()))
    op.create_table(
        "users",
        *_named(),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("monthly_limit", sa.Integer()),
        _moment("created_at"),
    )
    op.create_table("user_roles", _key_of("users", ondelete="CASCADE"), _key_of("roles"))
    op.create_table("api_tokens", *_hashed())
    op.create_table("logins", *_hashed(), _moment("expires_at", index=True))
    op.create_table(
        "user_api_consumptions",
        _key_of("users", ondelete="CASCADE"),
        sa.Column("month", sa.Date(), primary_key=True),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("block", sa.Integer(), nullable=False),
        sa.CheckConstraint("used >= 0", name="used"),
    )
    op.create_table(
        "attempts",
        sa.Column("key", sa.String(64), primary_key=True),
        _moment("since", index=True),
        sa.Column("count", sa.Integer(), nullable=False),
    )
    op.bulk_insert(roles, [{"name": "admin"}, {"name": "member"}])


def downgrade() -> None:
    """Drop them, with everybody in them."""
    for table in ("attempts", "user_api_consumptions", "logins", "api_tokens", "user_roles", "users", "roles"):
        op.drop_table(table)


def _named() -> list[sa.Column[Any]]:
    name = sa.Column("name", sa.String(64), nullable=False, unique=True)
    return [sa.Column("id", sa.Integer(), primary_key=True), name]


def _hashed() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        _moment("created_at"),
    ]


def _key_of(table: str, ondelete: str | None = None) -> sa.Column[Any]:
    column = f"{table.removesuffix('s')}_id"
    return sa.Column(column, sa.Integer(), sa.ForeignKey(f"{table}.id", ondelete=ondelete), primary_key=True)


def _moment(name: str, index: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, index=index)
