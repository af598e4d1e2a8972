"""``serve.py``: all of them together, and nothing left running."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from conftest import free_port
from make_us_rich.replay import ReplayServer, SimulatedMarket
from synthetic import lay_out

REPO = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


class Serve:
    """The command, in a project of its own."""

    def __init__(self, project: Path, **variables: str) -> None:
        self.project = project
        self.ports = {"PORT": str(free_port()), "INTERFACE_PORT": str(free_port())}
        named = {f"MAKE_US_RICH_{name}": value for name, value in (self.ports | variables).items()}
        self.environment = {**os.environ, "PYTHONPATH": str(REPO), **named}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Serve":
        with (self.project / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(REPO / "serve.py")], cwd=self.project, env=self.environment, stdout=log, stderr=log
            )
        return self

    @property
    def log(self) -> str:
        return (self.project / "log").read_text()

    def says(self, pattern: str, seconds: float = 120) -> re.Match[str]:
        """Wait until the log has a text."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.log):
                return found
            time.sleep(0.1)
        raise AssertionError(self.log)

    def children(self) -> dict[str, int]:
        """Process ids by what they are."""
        assert self.process is not None
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return {Path(f"/proc/{pid}/cmdline").read_text().split("\0")[2]: int(pid) for pid in pids}

    def answers(self, port: str) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[port]}/healthz", trust_env=False).status_code < 500
        except httpx.TransportError:
            return False


@pytest.fixture
def serve_of(tmp_path: Path) -> Iterator[Callable[..., Serve]]:
    """The command, not started yet; ended with the test."""
    made: list[Serve] = []

    def make(**variables: str) -> Serve:
        project = lay_out(tmp_path)
        (project / "conf/demo").mkdir()
        (project / "conf/demo/globals.yml").write_text((REPO / "conf/demo/globals.yml").read_text())
        made.append(Serve(project, **variables))
        return made[-1]

    yield make
    for serve in made:
        if serve.process is not None and serve.process.poll() is None:
            serve.process.terminate()
            serve.process.wait(timeout=60)


@pytest.fixture
def exchange_url() -> Iterator[str]:
    with ReplayServer(SimulatedMarket(seed=42)) as exchange:
        yield exchange.url


def test_sigterm_ends_both_and_nothing_is_left(serve_of: Callable[..., Serve], exchange_url: str) -> None:
    serve = serve_of(EXCHANGE_URL=exchange_url).start()
    serve.says(
        rf"API +http://127.0.0.1:{serve.ports['PORT']}\ninterface +http://127.0.0.1:{serve.ports['INTERFACE_PORT']}"
    )
    assert set(serve.children()) == {"serving", "interface"}
    assert serve.answers("PORT")
    serve.process.send_signal(signal.SIGTERM)

    assert serve.process.wait(timeout=60) == 0
    assert not serve.answers("PORT")
    assert not serve.answers("INTERFACE_PORT")


@pytest.mark.parametrize(("dies", "told"), [("serving", "the API has ended"), ("interface", "the interface has ended")])
def test_one_that_dies_ends_the_other(serve_of: Callable[..., Serve], exchange_url: str, dies: str, told: str) -> None:
    serve = serve_of(EXCHANGE_URL=exchange_url).start()
    serve.says("interface +http")
    os.kill(serve.children()[dies], signal.SIGKILL)

    assert serve.process.wait(timeout=60) == 1
    assert f"{told} with exit code -9, so all are ended" in serve.log
    assert not serve.answers("PORT")
    assert not serve.answers("INTERFACE_PORT")


@pytest.mark.parametrize("port", ["PORT", "INTERFACE_PORT"])
def test_a_taken_port_is_told_in_words(serve_of: Callable[..., Serve], exchange_url: str, port: str) -> None:
    serve = serve_of(EXCHANGE_URL=exchange_url, **{port: exchange_url.rsplit(":", 1)[1]}).start()

    assert serve.process.wait(timeout=60) == 2
    assert f"something listens on {exchange_url} already" in serve.log
    assert f"set MAKE_US_RICH_{port} to another port" in serve.log
    assert "Traceback" not in serve.log


def test_the_demo_has_an_exchange_and_an_account_with_a_random_password(serve_of: Callable[..., Serve]) -> None:
    serve = serve_of(ENV="demo")
    globals_of_demo = serve.project / "conf/demo/globals.yml"
    globals_of_demo.write_text(globals_of_demo.read_text().replace("8765", str(free_port())))
    serve.start()
    name, password = serve.says(r"log in as (\w+) with the password (\S+)").groups()
    login = {"name": name, "password": password}
    answer = httpx.post(f"http://127.0.0.1:{serve.ports['PORT']}/api/v1/login", json=login, trust_env=False)

    assert set(serve.children()) == {"make_us_rich.replay", "serving", "interface"}
    assert answer.json()["roles"] == ["admin", "member"]
    assert (serve.project / "data/demo/accounts.db").exists()
