"""``make serve`` and the end of ``make demo``: servers start and stop together, and leave nothing running."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from make_us_rich.replay import ReplayServer, SimulatedMarket
from make_us_rich.serve import api_server, stop_on_signals
from network import TIMEOUT, free_port, status, wait_until
from processes import processes_in
from synthetic import VERSION, lay_out, store, write_config

REPO = Path(__file__).resolve().parents[1]


class Serve:
    """The command in a project of its own."""

    def __init__(self, project: Path, **settings: str) -> None:
        self.project = project
        self.ports = {"PORT": str(free_port()), "INTERFACE_PORT": str(free_port())}
        self.log_file = project / "log"
        named = {f"MAKE_US_RICH_{name}": value for name, value in (self.ports | settings).items()}
        environment = {**os.environ, "PYTHONPATH": f"{REPO}:{REPO / 'src'}", **named}
        with self.log_file.open("wb") as log:
            command = [sys.executable, "-m", "make_us_rich.serve"]
            self.process = subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match in the log."""
        wait_until(lambda: re.search(pattern, self.log_file.read_text()))
        found = re.search(pattern, self.log_file.read_text())
        assert found is not None
        return found

    def children(self) -> dict[str, int]:
        """Process ids by module."""
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return {Path(f"/proc/{pid}/cmdline").read_text().split("\0")[2]: int(pid) for pid in pids}

    def responds(self, port: str) -> bool:
        return status(f"http://127.0.0.1:{self.ports[port]}/healthz") is not None


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Serve]]:
    """Starts the command; stops it after the test."""
    started: list[Serve] = []

    def start(**settings: str) -> Serve:
        project = lay_out(tmp_path)
        demo = project / "conf/demo/globals.yml"
        demo.parent.mkdir()
        demo.write_text((REPO / "conf/demo/globals.yml").read_text().replace("8765", str(free_port())))
        started.append(Serve(project, **settings))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.terminate()
            each.process.wait(timeout=60)


@pytest.fixture
def exchange_url() -> Iterator[str]:
    with ReplayServer(SimulatedMarket(seed=42)) as exchange:
        yield exchange.url


@pytest.mark.parametrize(("handler", "stops"), [(signal.SIG_DFL, True), (signal.SIG_IGN, False)])
@pytest.mark.usefixtures("signal_handlers")
def test_a_closed_terminal_stops_the_servers_except_under_nohup(handler: signal.Handlers, stops: bool) -> None:
    signal.signal(signal.SIGHUP, handler)
    stopping = stop_on_signals()
    signal.raise_signal(signal.SIGHUP)

    assert stopping.is_set() == stops


def test_a_server_that_dies_stops_the_other(serve: Callable[..., Serve], exchange_url: str) -> None:
    command = serve(EXCHANGE_URL=exchange_url)
    command.wait_for(rf"API +http://127.0.0.1:{command.ports['PORT']}\ninterface +http://127.0.0.1:\d+")
    children = command.children()
    assert set(children) == {"serving", "interface"}
    os.kill(children["serving"], signal.SIGKILL)

    assert command.process.wait(timeout=60) == 1
    assert "the API stopped with exit code -9" in command.log_file.read_text()
    assert not command.responds("INTERFACE_PORT")


@pytest.mark.parametrize("port", ["PORT", "INTERFACE_PORT"])
def test_a_port_in_use_is_an_error_with_its_setting(serve: Callable[..., Serve], exchange_url: str, port: str) -> None:
    command = serve(EXCHANGE_URL=exchange_url, **{port: exchange_url.rsplit(":", 1)[1]})

    assert command.process.wait(timeout=60) == 2
    log = command.log_file.read_text()
    assert f"{exchange_url}, the address of the" in log
    assert f"or set MAKE_US_RICH_{port} to another port" in log
    assert "Traceback" not in log


def test_the_demo_has_an_exchange_and_an_account_and_sigterm_stops_all(serve: Callable[..., Serve]) -> None:
    command = serve(ENV="demo")
    name, password = command.wait_for(r"log in as (\w+) with the password (\S+)").groups()
    login = {"name": name, "password": password}
    response = httpx.post(f"http://127.0.0.1:{command.ports['PORT']}/api/v1/login", json=login, trust_env=False)

    assert set(command.children()) == {"make_us_rich.replay", "serving", "interface"}
    assert response.json()["roles"] == ["admin", "member"]
    assert (command.project / "data/demo/accounts.db").exists()

    command.process.send_signal(signal.SIGTERM)

    assert command.process.wait(timeout=60) == 0
    assert not command.responds("PORT")
    assert not command.responds("INTERFACE_PORT")


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:1"), ("::", "http://[::1]:1"), ("::1", "http://[::1]:1"), ("h", "http://h:1")],
)
def test_the_address_is_one_that_this_machine_reaches(host: str, url: str) -> None:
    assert api_server({"MAKE_US_RICH_HOST": host, "MAKE_US_RICH_PORT": "1"}).url == url


def test_a_demo_that_is_interrupted_stops_what_it_started(tmp_path: Path) -> None:
    store(lay_out(tmp_path), VERSION)
    write_config(
        tmp_path,
        "local",
        globals={"root": "data", "exchange_url": "http://127.0.0.1:9", "replay": {"seed": 42}},
        parameters={"pairs": ["btc_usdt"]},
    )
    (tmp_path / "conf/local").rename(tmp_path / "conf/demo")
    environment = {**os.environ, "PYTHONPATH": f"{REPO}:{REPO / 'src'}"}
    command = [sys.executable, "-m", "make_us_rich.demo", "--api-only"]
    demo = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: len(processes_in(tmp_path)) == 2)
    demo.send_signal(signal.SIGINT)
    output, _ = demo.communicate(timeout=TIMEOUT)

    assert demo.returncode == 130
    assert "btc_usdt: " not in output
    assert processes_in(tmp_path) == set()
