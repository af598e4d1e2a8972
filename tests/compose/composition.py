"""The whole composition on an engine of the test's own."""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from engine import Engine

from network import free_port

REPO = Path(__file__).resolve().parents[2]
FILES = ("docker-compose.yml", "docker-compose.seaweedfs.yml", "tests/compose/override.yml")
DOCKERFILES = "\n".join(file.read_text() for file in [*REPO.glob("*/Dockerfile"), *REPO.glob("deploy/*/Dockerfile")])
WANTED = re.findall(r"--extra \w+|--group [\w-]+", DOCKERFILES)
"""What images install of pyproject.toml."""


@contextmanager
def wheels_served(folder: Path) -> Iterator[Path]:
    """A pip.conf and an uv.toml that take packages from this machine: all that images need, served on a local port."""
    wheels, pinned = folder / "wheels", folder / "pinned.txt"
    uv = [Path(sys.executable).with_name("uv"), "pip", "compile", "--quiet", "--constraint", "requirements.txt"]
    wanted = " ".join(WANTED).split()
    subprocess.run([*uv, *wanted, "pyproject.toml", "--output-file", pinned], cwd=REPO, check=True)
    (own,) = re.findall(r"^uv==\S+", (REPO / "requirements.txt").read_text(), re.MULTILINE)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels]
    subprocess.run([*pip, "--requirement", pinned, own, "setuptools", "wheel"], cwd=REPO, check=True)
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    server = subprocess.Popen(command, cwd=wheels, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address, conf = f"http://127.0.0.1:{port}/", folder / "pip.conf"
    conf.write_text(f"[global]\nno-index = true\nfind-links = {address}\n")
    conf.with_name("uv.toml").write_text(f'no-index = true\nfind-links = ["{address}"]\n')
    try:
        yield conf
    finally:
        server.terminate()
        server.wait(timeout=10)


@dataclass
class Composition:
    """The services of docker-compose.yml, with secrets and ports of its own."""

    engine: Engine
    pip_conf: Path
    variables: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.variables = {
            "COMPOSE_PROJECT_NAME": "make-us-rich-test",
            "TEST_PIP_CONF": str(self.pip_conf),
            "TEST_UV_TOML": str(self.pip_conf.with_name("uv.toml")),
            "AWS_ACCESS_KEY_ID": secrets.token_hex(10),
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
            "POSTGRES_PASSWORD": secrets.token_hex(20),
            "MAKE_US_RICH_ALERT_URLS": "json://sink:8080/",
            "COMPOSE_FILE": ":".join(str(REPO / file) for file in FILES),
            "API_PORT": str(free_port()),
            "INTERFACE_PORT": str(free_port()),
        }

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.variables['API_PORT']}"

    @property
    def interface(self) -> str:
        return f"http://127.0.0.1:{self.variables['INTERFACE_PORT']}"

    def compose(self, *arguments: str) -> str:
        return self.engine.docker("compose", *arguments, **self.variables)

    def type(self, line: str, folder: Path) -> str:
        """What a line of the documentation says, typed in a folder; its exit code is 0."""
        typed = ["bash", "-o", "pipefail", "-c", line]
        variables = {**self.engine.variables, **self.variables}
        done = subprocess.run(typed, cwd=folder, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def state(self, service: str) -> dict[str, Any]:
        container = self.compose("ps", "--all", "--quiet", service).strip()
        (found,) = json.loads(self.engine.docker("inspect", container))
        return {**found["State"], "RestartCount": found["RestartCount"]}

    def kill(self, service: str) -> None:
        """kill -9 a service's first process, as a crash does; the engine's own kill would count as a stop."""
        os.kill(self.state(service)["Pid"], signal.SIGKILL)

    def wait_until_back(self, service: str, restarts: int, seconds: float = 300) -> None:
        """Wait until a service that was killed is healthy again."""
        deadline = time.monotonic() + seconds
        while True:
            state = self.state(service)
            if state["RestartCount"] > restarts and state["Health"]["Status"] == "healthy":
                return
            assert time.monotonic() < deadline, f"{service}: {state}\n{self.compose('logs', '--tail=40', service)}"
            time.sleep(1)

    def wait_for(self, url: str, seconds: float = 600) -> httpx.Response:
        """Ask until the answer is 200."""
        deadline, found = time.monotonic() + seconds, "no answer"
        while time.monotonic() < deadline:
            try:
                answer = httpx.get(url, timeout=5)
            except httpx.TransportError as exc:
                found = str(exc)
            else:
                if answer.status_code == 200:
                    return answer
                found = answer.text
            time.sleep(1)
        raise AssertionError(f"{url}: {found}\n{self.compose('logs', '--tail=60')[-8000:]}")


@contextmanager
def up(composition: Composition) -> Iterator[Composition]:
    """The composition, built and started; everything of it is gone afterwards."""
    try:
        # What a run that was killed has left has other passwords.
        composition.compose("down", "--volumes", "--timeout", "20")
        composition.compose("build", "--quiet")
        composition.compose("up", "--detach", "--wait", "--wait-timeout", "600")
        yield composition
    finally:
        composition.compose("down", "--volumes", "--timeout", "20")
