"""The accounts database: its schema, and transactions in threads with a time limit and a circuit breaker."""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, exc, inspect, make_url, text
from sqlalchemy.orm import Session

from make_us_rich.domain.errors import ParameterError
from serving.errors import UnavailableError, UncertainError
from serving.settings import Settings

Result = TypeVar("Result")
Work = Callable[[Session], Result]

REVISION = "0003"
"""Revision of the tables that this release needs."""
ALEMBIC_INI = Path(__file__).resolve().parents[1] / "alembic.ini"
RETRY_SECONDS = 1.0
SQLITE_SECONDS = 5.0
DOWN = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError, OSError)
POSTGRESQL_OPTIONS = {
    "connect_timeout": 2,
    # A server that no longer answers is detected, and its thread is free again.
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "options": "-c statement_timeout=10000 -c timezone=UTC",
    "application_name": "make-us-rich",
}

_log = logging.getLogger(__name__)


class Database:
    """Runs work in transactions. After a failure one caller a second tries the database; the others fail at once."""

    def __init__(self, settings: Settings) -> None:
        self._seconds = settings.database_seconds
        self.engine = make_engine(settings)
        self._reader = self.engine.execution_options(read_only=True)
        self._threads = ThreadPoolExecutor(settings.database_connections, thread_name_prefix="database")
        # SQLite's own lock is not fair: some threads would never get it.
        self._write_lock = threading.Lock() if self.engine.dialect.name == "sqlite" else nullcontext()
        self._is_checked = False
        self._failed_at: float | None = None
        self._is_closed = False

    @property
    def failing(self) -> bool:
        """Whether the last attempt to use the database failed."""
        return self._failed_at is not None

    async def read(self, work: Work[Result]) -> Result:
        """Run work that writes nothing; UnavailableError if the database does not answer in time."""
        return await self.wait(self.start(work, read_only=True))

    async def write(self, work: Work[Result]) -> Result:
        """Run work and commit; on SQLite one at a time. Errors as those of ``transact``."""
        return await self.wait(self.start(work))

    def start(self, work: Work[Result], *, read_only: bool = False) -> "asyncio.Task[Result]":
        """Start work that runs to its end, whether or not somebody waits for it."""
        return spawn(self._run(work, read_only))

    async def wait(self, task: "asyncio.Task[Result]") -> Result:
        """Wait for a task that uses the database; neither a time-out nor a cancelled caller ends the task."""
        try:
            # Unlike asyncio.wait_for, this loses no cancellation that arrives together with the result.
            async with asyncio.timeout(self._seconds):
                return await asyncio.shield(task)
        except TimeoutError as error:
            self._failed_at = time.monotonic()
            raise UncertainError(f"the accounts database did not answer within {self._seconds:g} s") from error

    def prepare(self) -> None:
        """Create the tables of an embedded database; check those of a server. Errors as those of ``transact``."""
        if self.engine.dialect.name == "sqlite":
            migrate(self.engine)
        self.transact(lambda _: None, read_only=True)

    def close(self) -> None:
        """Close threads and connections; a thread that hangs is left behind."""
        self._is_closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.engine.dispose()

    async def _run(self, work: Work[Result], read_only: bool) -> Result:
        if self._is_closed:
            raise UnavailableError("this process is shutting down")
        if self._failed_at is not None:
            if time.monotonic() - self._failed_at < RETRY_SECONDS:
                raise UnavailableError("the accounts database does not answer")
            self._failed_at = time.monotonic()  # This caller tries; the others fail at once for another second.
        try:
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(self._threads, self.transact, work, read_only)
        except UnavailableError:
            self._failed_at = time.monotonic()
            raise
        self._failed_at = None
        return result

    def transact(self, work: Work[Result], read_only: bool = False) -> Result:
        """Run work and commit in this thread.

        Raises:
            UnavailableError: Nothing was written; with the code ``accounts_schema``, the tables are of another release.
            UncertainError: The work may have been written.
        """
        engine, lock = (self._reader, nullcontext()) if read_only else (self.engine, self._write_lock)
        with translate_errors(UnavailableError), lock, Session(engine, expire_on_commit=False) as session:
            if not self._is_checked:
                if (found := current_revision(session.connection())) != REVISION:
                    problem = f"the accounts database is at revision {found or 'none'}, not at {REVISION}"
                    raise UnavailableError(problem, "run python -m serving.accounts migrate", "accounts_schema")
                self._is_checked = True
            result = work(session)
            with translate_errors(UncertainError):
                session.commit()
            return result


def spawn(work: Coroutine[Any, Any, Result]) -> "asyncio.Task[Result]":
    """Start a task whose exception nobody has to retrieve: it is in the log."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


@contextmanager
def translate_errors(error: type[UnavailableError]) -> Iterator[None]:
    """Raise the given error for every way in which a driver says that the database is down; log the cause."""
    try:
        yield
    except (exc.SQLAlchemyError, OSError) as cause:
        if not isinstance(cause, DOWN) and type(cause) is not exc.DatabaseError:
            raise  # A wrong statement or a broken constraint.
        first_line = str(getattr(cause, "orig", None) or cause).strip().split("\n")[0]
        _log.warning("the accounts database failed: %s", first_line)
        raise error("the accounts database does not answer") from cause


def make_engine(settings: Settings) -> Engine:
    """An engine for SQLite or PostgreSQL; ParameterError if the URL names another database."""
    url, variable = make_url(settings.database_url.get_secret_value()), "MAKE_US_RICH_DATABASE_URL"
    size = {"pool_size": settings.database_connections, "max_overflow": 0}
    if url.get_backend_name() in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg2")
        # The ping costs 0.1 ms and hides a restart of the server.
        return create_engine(url, pool_pre_ping=True, connect_args=POSTGRESQL_OPTIONS, **size)
    if url.get_backend_name() != "sqlite":
        raise ParameterError(f"{variable}: {url.get_backend_name()} is not supported", "use sqlite or postgresql")
    if not url.database or url.database == ":memory:":
        problem = f"{variable}: SQLite in memory does not work with several connections"
        raise ParameterError(problem, "use a file: sqlite:///data/accounts.db")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": SQLITE_SECONDS}, **size)

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _: Any) -> None:
        # Transactions begin explicitly: sqlite3 begins them late, as reads, and fails when a read turns into a write.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        _use_wal(connection)

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    """Let readers and a writer of a SQLite file work side by side; waits for another process that creates the file."""
    until = time.monotonic() + SQLITE_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:  # SQLite's own timeout does not hold for this statement.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def current_revision(connection: Connection) -> str | None:
    """The revision of the tables; None without tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def migrate(engine: Engine) -> None:
    """Migrate the tables to this release in one transaction; concurrent processes migrate once."""
    with translate_errors(UnavailableError), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(770417001)"))
        if current_revision(connection) == REVISION:
            return
        from alembic import command  # Takes long to import, and a server needs it once at most.
        from alembic.config import Config

        config = Config(ALEMBIC_INI)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
