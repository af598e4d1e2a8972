"""Users of an OpenID Connect issuer."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("users", sa.Column("subject", sa.String(64)))
    op.create_index("ix_users_subject", "users", ["subject"], unique=True)


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_users_subject", "users")
    op.drop_column("users", "subject")
