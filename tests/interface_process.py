"""The interface as a process of its own, for tests."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

REPO = Path(__file__).resolve().parents[1]


@dataclass
class InterfaceProcess:
    """The real server of the interface.

    Attributes:
        folder: Where its log is written.
        port: To listen on.
        api_url: The API that it asks.
    """

    folder: Path
    port: int
    api_url: str
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "interface.log").read_text()

    def start(self) -> "InterfaceProcess":
        """Start it, and wait until it answers."""
        named = {"API_URL": self.api_url, "INTERFACE_PORT": str(self.port)}
        variables = {f"MAKE_US_RICH_{name}": value for name, value in named.items()}
        environment = {**os.environ, **variables, "PYTHONPATH": str(REPO)}
        with (self.folder / "interface.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "interface"], cwd=self.folder, env=environment, stdout=log, stderr=log
            )
        self._wait()
        return self

    def stop(self) -> None:
        """End it as a supervisor does."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(timeout=30)

    def _wait(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, self.log
            try:
                if httpx.get(f"{self.url}/_stcore/health", timeout=5, trust_env=False).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(self.log)
