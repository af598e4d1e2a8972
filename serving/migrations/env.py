"""Run by alembic: migrations over the connection handed in, or over the one that the environment names."""

from alembic import context
from sqlalchemy import Connection

from serving.accounts.database import make_engine
from serving.accounts.tables import Base
from serving.settings import Settings


def _migrate(connection: Connection) -> None:
    # SQLite cannot alter a table: alembic copies it.
    batch = connection.dialect.name == "sqlite"
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=batch)
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    _migrate(given)
else:
    with make_engine(Settings()).begin() as connection:
        _migrate(connection)
