"""The command ``make serve``: API and interface together in the foreground, until SIGINT or SIGTERM ends both.

In the environment ``demo`` the replay exchange runs beside them, unless one answers already, and an account is made.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import httpx
from omegaconf import OmegaConf

from make_us_rich.domain.errors import MakeUsRichError, ParameterError
from make_us_rich.replay import answers

PREFIX = "MAKE_US_RICH_"
START_SECONDS = 120.0
END_SECONDS = 20.0
_PAUSE_SECONDS = 0.2
_ENDING = (signal.SIGINT, signal.SIGTERM)


class EndedError(MakeUsRichError):
    """One of them has ended on its own."""


@dataclass(frozen=True)
class Part:
    """One server.

    Attributes:
        name: For people.
        command: Arguments after ``python -m``.
        url: Where it answers.
        alive: A path there that answers once it has started.
        variable: What sets its port.
    """

    name: str
    command: tuple[str, ...]
    url: str
    alive: str
    variable: str

    def must_be_free(self) -> None:
        """Refuse to start where something else listens.

        Raises:
            ParameterError: Something does.
        """
        place = urlsplit(self.url)
        with socket.socket() as trial:
            if trial.connect_ex((str(place.hostname), int(place.port or 0))) == 0:
                raise ParameterError(
                    f"something listens on {self.url} already, where the {self.name} was to be;"
                    f" end it, or set {self.variable} to another port"
                )

    def answers(self) -> bool:
        """Whether it has started."""
        try:
            return httpx.get(f"{self.url}{self.alive}", timeout=5, trust_env=False).is_success
        except httpx.TransportError:
            return False


@dataclass
class Family:
    """Servers that end together."""

    environment: Mapping[str, str]
    running: "list[tuple[Part, subprocess.Popen[bytes]]]" = field(default_factory=list)

    def start(self, part: Part) -> None:
        """Start one more, and wait until it answers.

        Raises:
            EndedError: One ended instead, or it did not answer in time.
        """
        command = [sys.executable, "-m", *part.command]
        # In a session of its own: Ctrl-C reaches this process alone, which ends all of them in order.
        with _signals_heard_afterwards():
            process = subprocess.Popen(command, env=self.environment, start_new_session=True)  # noqa: S603
            self.running.append((part, process))
        deadline = time.monotonic() + START_SECONDS
        while not part.answers():
            self.look()
            if time.monotonic() > deadline:
                raise EndedError(f"the {part.name} did not answer within {START_SECONDS:.0f} s")
            time.sleep(_PAUSE_SECONDS)

    def look(self) -> None:
        """See that all are there.

        Raises:
            EndedError: One is not.
        """
        for part, process in self.running:
            if process.poll() is not None:
                raise EndedError(f"the {part.name} has ended with exit code {process.returncode}, so all are ended")

    def end(self) -> None:
        """End all that still run, the last first; one that does not within twenty seconds is killed."""
        for _, process in reversed(self.running):
            process.terminate()
        deadline = time.monotonic() + END_SECONDS
        for _, process in self.running:
            try:
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main() -> int:
    """Serve; returns the exit code: 0 when told to end, 1 where one ended on its own, 2 where a port is taken."""
    try:
        with ended_by_signals(), ExitStack() as stack:
            run(dict(os.environ), stack)
    except KeyboardInterrupt:
        return 0
    except EndedError as error:
        return _told(error, 1)
    except MakeUsRichError as error:
        return _told(error, 2)
    return 0


def run(environment: dict[str, str], stack: ExitStack) -> None:
    """Start all of them and watch them; what is on the stack ends them.

    Raises:
        EndedError: One ended on its own.
        ParameterError: A port is taken.
        KeyboardInterrupt: A signal says to end.
    """
    is_demo = environment.get(f"{PREFIX}ENV", environment.get("KEDRO_ENV")) == "demo"
    parts = [*(_exchange() if is_demo else ()), _api(environment), _interface(environment)]
    if is_demo:
        environment.setdefault(f"{PREFIX}DATABASE_URL", "sqlite:///data/demo/accounts.db")
    environment.setdefault(f"{PREFIX}API_URL", parts[-2].url)
    for part in parts:
        part.must_be_free()
    family = Family(environment)
    stack.callback(family.end)
    for part in parts:
        family.start(part)
    _say("\n".join(f"{part.name:<10} {part.url}" for part in parts))
    if is_demo:
        _say(_demo_account(environment))
    while True:
        family.look()
        time.sleep(_PAUSE_SECONDS)


def _exchange() -> Iterator[Part]:
    """The demo's exchange, as ``conf/demo`` wants it; none where it answers already."""
    wanted = OmegaConf.load(Path("conf/demo/globals.yml"))
    if not answers(wanted.exchange_url):
        port = str(urlsplit(wanted.exchange_url).port)
        command = ("make_us_rich.replay", "--simulate", "--seed", str(wanted.replay.seed), "--port", port)
        yield Part("exchange", command, wanted.exchange_url, "/api/v3/ping", "exchange_url in conf/demo/globals.yml")


def _api(environment: Mapping[str, str]) -> Part:
    return Part("API", ("serving",), _url(environment, "", "8000"), "/healthz", f"{PREFIX}PORT")


def _interface(environment: Mapping[str, str]) -> Part:
    url = _url(environment, "INTERFACE_", "8501")
    return Part("interface", ("interface",), url, "/_stcore/health", f"{PREFIX}INTERFACE_PORT")


def _url(environment: Mapping[str, str], which: str, port: str) -> str:
    host = environment.get(f"{PREFIX}{which}HOST", "127.0.0.1")
    reached = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104
    return f"http://{reached}:{environment.get(f'{PREFIX}{which}PORT', port)}"


def _demo_account(environment: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "serving.accounts", "renew-demo"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise EndedError(f"there is no demo account: {done.stderr.strip()}")
    name, password = done.stdout.split()
    return f"log in as {name} with the password {password}\n(another one at the next start)"


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM is Ctrl-C within; while all of them end, neither is heard."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in _ENDING:
        signal.signal(number, interrupt)
    yield


@contextmanager
def _signals_heard_afterwards() -> Iterator[None]:
    """Between the start of a server and its place among those to be ended, nothing may come."""
    heard: list[int] = []
    before = {each: signal.signal(each, lambda number, _: heard.append(number)) for each in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if heard:
        raise KeyboardInterrupt


def _say(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")
    sys.stdout.flush()


def _told(error: MakeUsRichError, code: int) -> int:
    sys.stderr.write(f"make serve: {error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
