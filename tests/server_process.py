"""A server as a process of its own, for tests: started, waited for, ended."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import httpx

REPO = Path(__file__).resolve().parents[1]
PATIENCE = 120.0
"""Seconds after which something will not come any more, however busy the machine is."""


@dataclass
class ServerProcess:
    """A server that a test may start and stop.

    Attributes:
        folder: Where it runs, and its log is.
        port: To listen on.
        variables: Its settings, without what their names begin with.
        module: What ``python -m`` runs.
        alive: The path that answers as soon as it lives.
    """

    folder: Path
    port: int
    variables: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    module: ClassVar[str]
    alive: ClassVar[str]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text()

    @property
    def environment(self) -> dict[str, str]:
        """What it is started with."""
        named = {f"MAKE_US_RICH_{name}": value for name, value in self.variables.items()}
        return {**os.environ, "PYTHONPATH": str(REPO), **named}

    def start(self) -> Self:
        """Start it, and wait until it lives."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        self.wait(self.alive)
        return self

    def stop(self) -> None:
        """End it as a supervisor does."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(timeout=PATIENCE)

    def wait(self, path: str, status: int = 200, **headers: str) -> httpx.Response:
        """Ask until the answer has a status."""
        deadline, answer = time.monotonic() + PATIENCE, None
        while time.monotonic() < deadline:
            try:
                answer = httpx.get(self.url + path, headers=headers, timeout=PATIENCE, trust_env=False)
            except httpx.TransportError:
                assert self.process is not None
                assert self.process.poll() is None, self.log
            if answer is not None and answer.status_code == status:
                return answer
            time.sleep(0.05)
        raise AssertionError(f"{path}: {answer and answer.text}\n{self.log}")

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.module}.log"
