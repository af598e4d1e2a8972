"""All accounts as one record, and back: between databases of either kind."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Date, Engine, Table, delete, func, insert, select, text

from make_us_rich.domain.errors import ParameterError
from serving.accounts import schema
from serving.accounts.tables import Base, Moment, User

TABLES: tuple[Table, ...] = tuple(Base.metadata.sorted_tables)


def dump(engine: Engine) -> dict[str, Any]:
    """Every row of every table, as of one moment.

    Raises:
        SchemaError: The tables are of another release.
    """
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        schema.check(connection)
        return {"revision": schema.NEEDED, "tables": {table.name: _rows(connection, table) for table in TABLES}}


def _rows(connection: Connection, table: Table) -> list[dict[str, Any]]:
    rows = connection.execute(select(table)).mappings()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def load(engine: Engine, record: dict[str, Any], *, replace: bool) -> int:
    """Make the tables where there are none, and put every row back, or change nothing.

    Args:
        engine: The database.
        record: What ``dump`` gave.
        replace: Whether accounts that are there may go.

    Returns:
        The number of users.

    Raises:
        ParameterError: The record is of another release, or there are accounts that may not go.
    """
    if record.get("revision") != schema.NEEDED:
        raise ParameterError(
            f"the backup is of revision {record.get('revision')}, not {schema.NEEDED}; use that release"
        )
    schema.migrate(engine)
    with engine.begin() as connection:
        if connection.scalar(select(func.count()).select_from(User)) and not replace:
            raise ParameterError("there are accounts in the database; --replace lets the backup take their place")
        for table in reversed(TABLES):
            connection.execute(delete(table))
        for table in TABLES:
            _fill(connection, table, record["tables"][table.name])
    return len(record["tables"][User.__tablename__])


def _fill(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), [_typed(table, row) for row in rows])
    if connection.dialect.name == "postgresql" and "id" in table.columns:
        # The next row gets a number that no row has.
        sequence = func.pg_get_serial_sequence(table.name, "id")
        highest = select(func.coalesce(func.max(table.c.id), 0) + 1).scalar_subquery()
        connection.execute(select(func.setval(sequence, highest, False)))


def _typed(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(table.columns[name].type, value) for name, value in row.items()}


def _value(kind: Any, value: Any) -> Any:
    if value is None or not isinstance(kind, Moment | Date):
        return value
    return datetime.fromisoformat(value) if isinstance(kind, Moment) else date.fromisoformat(value)
