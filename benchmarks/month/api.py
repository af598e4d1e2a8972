"""The API as a process that can be killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

from benchmarks.month.project import REPOSITORY


class Api:
    """The API of the project; its database is a file of its own.

    Args:
        folder: The project's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Without a path."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it is ready."""
        with (self._folder / "api.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "serving"], cwd=self._folder, env=self._environment(), stdout=log, stderr=log
            )
        for _ in range(600):
            if self._ready():
                return
            time.sleep(0.1)
        raise RuntimeError(f"the API did not become ready: {(self._folder / 'api.log').read_text()[-2000:]}")

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def past(self, pair: str) -> dict[str, object]:
        """What it reports of past forecasts."""
        answer: dict[str, object] = self._ask(f"/api/v1/forecasts/{pair}").json()
        return answer

    def _ready(self) -> bool:
        try:
            return self._ask("/readyz").status_code == 200
        except requests.RequestException:
            return False

    def _ask(self, path: str) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"{self.address}{path}", timeout=10)

    def _environment(self) -> dict[str, str]:
        known = {
            "PORT": str(self.port),
            "ENV": "local",
            "DATABASE_URL": f"sqlite:///{self._folder / 'data' / 'accounts.db'}",
            "MODELS_SECONDS": "2",
            "CANDLES_SECONDS": "2",
            "ACCESS_LOG": "false",
        }
        own = {f"MAKE_US_RICH_{name}": value for name, value in known.items()}
        return {**os.environ, "PYTHONPATH": str(REPOSITORY), **own}
