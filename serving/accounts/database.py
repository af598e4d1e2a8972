"""The database: work in its own threads, and an honest answer when it is down."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from make_us_rich.domain.errors import ParameterError
from serving.accounts import schema
from serving.accounts.errors import UnavailableError, UncertainError
from serving.accounts.settings import AccountsSettings

Result = TypeVar("Result")
Work = Callable[[Session], Result]

_PAUSE_SECONDS = 1.0
_DOWN = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError, OSError)
_POSTGRESQL = {
    "connect_timeout": 2,
    # A server that stopped answering is found out, and its thread is free again.
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "options": "-c statement_timeout=10000 -c timezone=UTC",
    "application_name": "make-us-rich",
}

_log = logging.getLogger(__name__)


class Database:
    """Runs work in transactions; after a failure it asks the database once a second, and refuses at once in between."""

    def __init__(self, settings: AccountsSettings) -> None:
        self._seconds = settings.database_seconds
        self.engine = make_engine(settings)
        self._threads = ThreadPoolExecutor(settings.database_connections, thread_name_prefix="database")
        # Threads that wait for SQLite's own lock look for it now and then, and some never get it.
        self._turn = threading.Lock() if self.engine.dialect.name == "sqlite" else nullcontext()
        self._checked = False
        self._failed_at: float | None = None
        self._trying = False

    @property
    def failing(self) -> bool:
        """The last that was heard of the database is that it does not answer."""
        return self._failed_at is not None

    async def read(self, work: Work[Result]) -> Result:
        """Run work that writes nothing.

        Raises:
            UnavailableError: The database does not answer, or not in time.
            SchemaError: Its tables are of another release.
        """
        return await self._in_time(self.start(work, reading=True))

    async def write(self, work: Work[Result]) -> Result:
        """Run work and commit; on SQLite one at a time.

        Raises:
            UnavailableError: Nothing was written.
            UncertainError: It may have been written.
        """
        return await self._in_time(self.start(work))

    def write_now(self, work: Work[Result]) -> Result:
        """Run work and commit, for as long as it takes.

        Raises:
            UnavailableError: The database does not answer.
        """
        return self._transact(work, reading=False)

    def start(self, work: Work[Result], *, reading: bool = False) -> "asyncio.Task[Result]":
        """Work that goes on for as long as it takes, and whoever waits for it may stop waiting."""
        task = asyncio.create_task(self._run(work, reading))
        task.add_done_callback(_heard)
        return task

    async def _in_time(self, task: "asyncio.Task[Result]") -> Result:
        try:
            # Unlike asyncio.wait_for, this loses no cancellation that comes just as the database answers.
            async with asyncio.timeout(self._seconds):
                return await asyncio.shield(task)
        except TimeoutError as error:
            self.late()
            raise UncertainError(f"the accounts database did not answer within {self._seconds:g} s") from error

    async def _run(self, work: Work[Result], reading: bool) -> Result:
        trial = self._admit()
        try:
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(self._threads, self._transact, work, reading)
        except UnavailableError:
            self.late()
            raise
        finally:
            self._trying = self._trying and not trial
        self._failed_at = None
        return result

    def _admit(self) -> bool:
        """Whether this is the one that finds out if the database is back.

        Raises:
            UnavailableError: It failed less than a second ago, or another is finding out.
        """
        if self._failed_at is None:
            return False
        if self._trying or time.monotonic() - self._failed_at < _PAUSE_SECONDS:
            raise UnavailableError("the accounts database does not answer")
        self._trying = True
        return True

    def late(self) -> None:
        """Somebody waited in vain: no more is asked for a second."""
        self._failed_at = time.monotonic()

    def _transact(self, work: Work[Result], reading: bool) -> Result:
        turn = nullcontext() if reading else self._turn
        with naming(UnavailableError), turn, self._session(reading) as session:
            self._check(session.connection())
            result = work(session)
            with naming(UncertainError):
                session.commit()
            return result

    def _session(self, reading: bool) -> Session:
        engine = self.engine.execution_options(reading=True) if reading else self.engine
        return Session(engine, expire_on_commit=False)

    def _check(self, connection: Connection) -> None:
        if not self._checked:
            schema.check(connection)
            self._checked = True

    def prepare(self) -> None:
        """Make the tables of the embedded database; those of a server are for its operator to make.

        Raises:
            SchemaError: The tables of a server are of another release.
            UnavailableError: The database does not answer.
        """
        with naming(UnavailableError):
            if self.engine.dialect.name == "sqlite":
                schema.migrate(self.engine)
            with self.engine.connect() as connection:
                self._check(connection)

    def close(self) -> None:
        """Let go of threads and connections; a thread that is stuck is left behind."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.engine.dispose()


@contextmanager
def naming(kind: type[UnavailableError]) -> Iterator[None]:
    """Say that the database is down, where a driver says it in many ways; what it was is for the log.

    Raises:
        UnavailableError: Of this kind.
    """
    try:
        yield
    except (exc.SQLAlchemyError, OSError) as error:
        if not isinstance(error, _DOWN) and type(error) is not exc.DatabaseError:
            raise  # Ours: a wrong statement, a broken constraint.
        _log.warning("the accounts database failed: %s", _first_line(error))
        raise kind("the accounts database does not answer") from error


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().split("\n")[0]


def _heard(task: asyncio.Task[Any]) -> None:
    """Nobody may be waiting any more; the failure is in the log already."""
    if not task.cancelled():
        task.exception()


def make_engine(settings: AccountsSettings) -> Engine:
    """Connections as either database needs them.

    Raises:
        ParameterError: Another database.
    """
    url = make_url(settings.database_url.get_secret_value())
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, settings.database_connections)
    if url.get_backend_name() in ("postgresql", "postgres"):
        return _postgresql(url.set(drivername="postgresql+psycopg2"), settings.database_connections)
    raise ParameterError(f"MAKE_US_RICH_DATABASE_URL: {url.get_backend_name()} is not known; use sqlite or postgresql")


def _postgresql(url: URL, connections: int) -> Engine:
    # Pinging first costs a tenth of a millisecond and hides that the server was started again.
    return create_engine(url, pool_size=connections, max_overflow=0, pool_pre_ping=True, connect_args=_POSTGRESQL)


def _sqlite(url: URL, connections: int) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ParameterError(
            "MAKE_US_RICH_DATABASE_URL: several connections need a file; write sqlite:///data/accounts.db"
        )
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, pool_size=connections, max_overflow=0, connect_args={"timeout": 5})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _: Any) -> None:
    # sqlite3 begins transactions when it likes; they are ours to begin, or a read would turn into a write and fail.
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
