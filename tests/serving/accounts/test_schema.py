"""Migrations create the tables that the code declares."""

import multiprocessing
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from serving.accounts import database
from serving.accounts.database import ALEMBIC_INI, REVISION, make_engine
from serving.accounts.tables import Base
from serving.settings import Settings

from .conftest import ON_BOTH_DATABASES


def engine(url: str) -> Engine:
    return make_engine(Settings(database_url=url))


def migrate(url: str) -> None:
    database.migrate(engine(url))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'folder' / 'accounts.db'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@ON_BOTH_DATABASES
def test_migrations_create_the_declared_tables_and_the_roles(database_url: str) -> None:
    with engine(database_url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        assert connection.execute(text("SELECT name FROM roles ORDER BY name")).scalars().all() == ["admin", "member"]
    assert ScriptDirectory.from_config(Config(ALEMBIC_INI)).get_current_head() == REVISION


@ON_BOTH_DATABASES
def test_downgrading_drops_all_tables_and_upgrading_makes_them_again(database_url: str) -> None:
    before, config = inspect(engine(database_url)).get_table_names(), Config(ALEMBIC_INI)
    with engine(database_url).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(engine(database_url)).get_table_names() == ["alembic_version"]
    migrate(database_url)
    assert sorted(inspect(engine(database_url)).get_table_names()) == sorted(before)


def test_concurrent_processes_migrate_once(empty_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=migrate, args=(empty_url,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]


def test_a_connection_waits_for_a_process_that_is_creating_the_file(tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    creator = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    creator.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, creator.execute, ["COMMIT"]).start()
    with engine(f"sqlite:///{path}").connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    creator.close()
