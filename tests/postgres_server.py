"""A real PostgreSQL in a folder of its own, for tests and benchmarks."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, text

_DEBIAN = "/usr/lib/postgresql"
"""Where Debian keeps the server's programs, out of the PATH."""


def program(name: str) -> str | None:
    """Where a program of the server is; None where it is not installed."""
    beside = sorted(Path(_DEBIAN).glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(beside[-1]) if beside else None)


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL server in a folder of its own."""

    folder: Path
    port: int

    def url(self, database: str) -> str:
        return f"postgresql://app@127.0.0.1:{self.port}/{database}"

    @property
    def process(self) -> int:
        """Its process id."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def run(self, sql: str) -> None:
        engine = create_engine(self.url("postgres").replace("://", "+psycopg2://"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(sql))
        engine.dispose()

    def start(self) -> None:
        settings = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        log = self.folder / "log"
        self._control("pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", f"{log}", "-o", settings, "start")

    def stop(self) -> None:
        """Cut every connection and end."""
        self._control("pg_ctl", "-D", f"{self.folder}/data", "-w", "-m", "immediate", "stop")

    def pause(self) -> None:
        """Accept connections and never answer."""
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def resume(self) -> None:
        for process in self._processes():
            os.kill(process, signal.SIGCONT)

    def _processes(self) -> list[int]:
        children = Path(f"/proc/{self.process}/task/{self.process}/children").read_text().split()
        return [self.process, *(int(child) for child in children)]

    def make(self) -> None:
        self._control(
            "initdb", "-D", f"{self.folder}/data", "-U", "app", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"
        )

    def _control(self, name: str, *arguments: str) -> None:
        as_postgres = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        command = [*as_postgres, str(program(name)), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, timeout=120)


def missing_programs() -> list[str]:
    """What would have to be installed first."""
    return [name for name in ("initdb", "pg_ctl") if program(name) is None]


@contextmanager
def new_server() -> Iterator[PostgresServer]:
    """A started server; thrown away afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # pytest's own folders are closed to other users.
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    server = PostgresServer(folder, _free_port())
    server.make()
    server.start()
    try:
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
