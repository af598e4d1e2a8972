"""Migrations make the tables that the code reads."""

import multiprocessing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from serving.accounts import schema
from serving.accounts.database import Database, make_engine
from serving.accounts.errors import SchemaError, UnavailableError
from serving.accounts.settings import AccountsSettings
from serving.accounts.tables import Base

INI = Path(schema.__file__).parents[1] / "alembic.ini"


def engine(url: str) -> Engine:
    return make_engine(AccountsSettings(database_url=url))


def migrate(url: str) -> None:
    schema.migrate(engine(url))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'folder' / 'accounts.db'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


def test_migrated_tables_are_the_declared_ones(database_url: str) -> None:
    with engine(database_url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_have_the_declared_names(postgres_url: str) -> None:
    found = inspect(engine(postgres_url))
    for table in Base.metadata.sorted_tables:
        names = {key["name"] for key in found.get_foreign_keys(table.name)}
        names |= {key["name"] for key in found.get_unique_constraints(table.name)}
        names |= {key["name"] for key in found.get_check_constraints(table.name)}
        names |= {found.get_pk_constraint(table.name)["name"]}
        assert names == {constraint.name for constraint in table.constraints}, table.name


def test_both_roles_are_there(database_url: str) -> None:
    with engine(database_url).connect() as connection:
        assert connection.execute(text("SELECT name FROM roles ORDER BY name")).scalars().all() == ["admin", "member"]


def test_the_needed_revision_is_the_last_migration() -> None:
    assert ScriptDirectory.from_config(Config(INI)).get_current_head() == schema.NEEDED


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    migrate(database_url)
    with engine(database_url).connect() as connection:
        assert schema.revision(connection) == schema.NEEDED


def test_the_way_back_leaves_no_table(database_url: str) -> None:
    with engine(database_url).begin() as connection:
        config = Config(INI)
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(engine(database_url)).get_table_names() == ["alembic_version"]


def test_of_several_processes_at_once_one_migrates(empty_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=migrate, args=(empty_url,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]


def test_an_embedded_database_is_made_by_itself(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'accounts.db'}"
    database = Database(AccountsSettings(database_url=url))
    database.prepare()
    database.close()
    with engine(url).connect() as connection:
        assert schema.revision(connection) == schema.NEEDED


def test_a_server_without_tables_is_refused_with_the_remedy(empty_postgres_url: str) -> None:
    database = Database(AccountsSettings(database_url=empty_postgres_url))
    with pytest.raises(SchemaError, match=r"revision none.*run python -m serving.accounts migrate"):
        database.prepare()
    database.close()


def test_a_file_that_is_no_database_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    path.write_bytes(b"no database" * 1000)
    database = Database(AccountsSettings(database_url=f"sqlite:///{path}"))
    with pytest.raises(UnavailableError, match="accounts database"):
        database.prepare()
    database.close()
