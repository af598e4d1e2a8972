"""``python -m make_us_rich.serve``: the API and the interface in the foreground, until a signal ends both.

In the environment ``demo`` a replay exchange and a demo account come with them.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import httpx
from omegaconf import OmegaConf

from make_us_rich.domain.errors import MakeUsRichError, ParameterError
from make_us_rich.replay import answers

PREFIX = "MAKE_US_RICH_"
START_SECONDS = 120.0
POLL_SECONDS = 0.2
DEMO_GLOBALS = Path("conf/demo/globals.yml")


class ServerStoppedError(MakeUsRichError):
    """A server stopped, or did not start."""

    code = "server_stopped"


@dataclass(frozen=True)
class Server:
    """One server process: ``python -m`` with its arguments; the health path answers 2xx once it has started."""

    name: str
    arguments: tuple[str, ...]
    url: str
    health_path: str
    port_setting: str

    def check_port(self) -> None:
        """Raise ParameterError if something listens on the port already."""
        address = urlsplit(self.url)
        try:
            socket.create_connection((address.hostname or "", address.port or 80), timeout=1).close()
        except OSError:
            return
        raise ParameterError(
            f"{self.url}, the address of the {self.name}, is in use",
            f"stop what listens there, or set {self.port_setting} to another port",
        )

    def is_healthy(self) -> bool:
        """Whether it answers."""
        try:
            return httpx.get(f"{self.url}{self.health_path}", timeout=5, trust_env=False).is_success
        except httpx.TransportError:
            return False


@dataclass
class Supervisor:
    """Server processes that start one after the other, write to one log, and stop together."""

    environment: dict[str, str]
    stopping: threading.Event  # Set by a signal; waits end early then.
    log: IO[bytes] | None = None
    _processes: "list[tuple[Server, subprocess.Popen[bytes]]]" = field(default_factory=list)

    def start(self, server: Server) -> None:
        """Start a server and wait until it answers; ServerStoppedError if it, or an earlier one, does not."""
        command = [sys.executable, "-m", *server.arguments]
        # A session of its own: Ctrl-C reaches this process alone, which stops the servers in order.
        process = subprocess.Popen(  # noqa: S603
            command, env=self.environment, start_new_session=True, stdout=self.log, stderr=self.log
        )
        self._processes.append((server, process))
        self.wait_until(server.is_healthy, lambda: f"the {server.name} does not answer")

    def wait_until(self, condition: Callable[[], bool], problem: Callable[[], str]) -> None:
        """Wait for a condition, at most two minutes, or until a signal; ServerStoppedError with the problem if late."""
        deadline = time.monotonic() + START_SECONDS
        while not (self.stopping.is_set() or condition()):
            self.check()
            if time.monotonic() > deadline:
                raise ServerStoppedError(f"{problem()}, after {START_SECONDS:.0f} s")
            self.stopping.wait(POLL_SECONDS)

    def check(self) -> None:
        """Raise ServerStoppedError if a server has stopped."""
        for server, process in self._processes:
            if process.poll() is not None:
                raise ServerStoppedError(f"the {server.name} stopped with exit code {process.returncode}")

    def stop(self) -> None:
        """Stop all servers, the last first; kill those that take longer than 20 seconds."""
        for _, process in reversed(self._processes):
            process.terminate()
        deadline = time.monotonic() + 20
        for _, process in self._processes:
            try:
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def stop_on_signals() -> threading.Event:
    """An event that SIGINT, SIGTERM and SIGHUP (the terminal was closed) set; under nohup SIGHUP stays ignored."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stopping.set())
    return stopping


def api_server(environment: Mapping[str, str]) -> Server:
    """The API, at the address that the environment gives it."""
    return Server("API", ("serving",), _url(environment, "", "8000"), "/healthz", f"{PREFIX}PORT")


def main() -> int:
    """Serve; the exit code is 0 after a signal, 1 if a server stopped by itself, 2 if a port is in use."""
    supervisor = Supervisor(dict(os.environ), stop_on_signals())
    try:
        _run(supervisor)
    except MakeUsRichError as error:
        print(f"make serve: {error}", file=sys.stderr)
        return 1 if isinstance(error, ServerStoppedError) else 2
    finally:
        supervisor.stop()
    return 0


def _run(supervisor: Supervisor) -> None:
    environment = supervisor.environment
    is_demo = environment.get(f"{PREFIX}ENV", environment.get("KEDRO_ENV")) == "demo"
    api, url = api_server(environment), _url(environment, "INTERFACE_", "8501")
    interface = Server("interface", ("interface",), url, "/_stcore/health", f"{PREFIX}INTERFACE_PORT")
    servers = [*(_demo_exchange() if is_demo else ()), api, interface]
    if is_demo:
        environment.setdefault(f"{PREFIX}DATABASE_URL", "sqlite:///data/demo/accounts.db")
    environment.setdefault(f"{PREFIX}API_URL", api.url)
    for server in servers:
        server.check_port()
    for server in servers:
        supervisor.start(server)
    if supervisor.stopping.is_set():
        return
    print("\n" + "\n".join(f"{server.name:<10} {server.url}" for server in servers), flush=True)
    if is_demo:
        command = [sys.executable, "-m", "serving.accounts", "renew-demo"]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        if result.returncode:
            raise ServerStoppedError(f"the demo account cannot be created: {result.stderr.strip()}")
        name, password = result.stdout.split()
        print(f"log in as {name} with the password {password}\n(a new password at each start)", flush=True)
    while not supervisor.stopping.wait(POLL_SECONDS):
        supervisor.check()


def _demo_exchange() -> Sequence[Server]:
    """The replay exchange of ``conf/demo``; none where one answers already."""
    config = OmegaConf.load(DEMO_GLOBALS)
    if answers(config.exchange_url):
        return ()
    port = str(urlsplit(config.exchange_url).port)
    arguments = ("make_us_rich.replay", "--simulate", "--seed", str(config.replay.seed), "--port", port)
    return (Server("exchange", arguments, config.exchange_url, "/api/v3/ping", f"exchange_url in {DEMO_GLOBALS}"),)


def _url(environment: Mapping[str, str], component: str, default_port: str) -> str:
    """The address at which this machine reaches a server that may listen on all its addresses."""
    host = environment.get(f"{PREFIX}{component}HOST", "127.0.0.1")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    port = environment.get(f"{PREFIX}{component}PORT", default_port)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
