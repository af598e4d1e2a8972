"""Tables and the revision that they are at."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from serving.accounts.errors import SchemaError

NEEDED = "0001"

_INI = Path(__file__).resolve().parents[1] / "alembic.ini"
_ANY_NUMBER = 770_417_001


def revision(connection: Connection) -> str | None:
    """The revision of a database; none where there are no tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def check(connection: Connection) -> None:
    """Refuse tables of another release.

    Raises:
        SchemaError: They are.
    """
    if (found := revision(connection)) != NEEDED:
        raise SchemaError(found)


def migrate(engine: Engine) -> None:
    """Bring the tables to this release, or change nothing; of several processes at once, one does it."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_ANY_NUMBER})"))
        if revision(connection) != NEEDED:
            _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    from alembic import command  # A started app needs it once at most.
    from alembic.config import Config

    config = Config(_INI)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
