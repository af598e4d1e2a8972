"""A project of its own for each test, Kedro's commands in processes of their own, and an exchange to ask."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from make_us_rich.catalog import load_champion, open_catalog
from make_us_rich.inference.champion import Champion
from make_us_rich.replay import Clock, Faults, ReplayServer, SimulatedMarket

REPO = Path(__file__).resolve().parents[2]
NOW = datetime(2025, 3, 1, 12, 34, 56, tzinfo=UTC)
SHORT = {
    "architectures": "har",
    "history_days": 90,
    "walk_forward__folds": 2,
    "walk_forward__hours": 72,
    "walk_forward__lead_in_hours": 72,
    "walk_forward__least_windows": 200,
}
"""One challenger, few candles, and folds that they do for. The gate asks for more, so that it is refused."""
PAIR = "btc_usdt"


@dataclass
class Command:
    """A Kedro command that was started."""

    folder: Path

    @property
    def pid(self) -> int:
        """Its process."""
        return int(_appears(self.folder / "pid", 30))

    @property
    def output(self) -> str:
        """What it has written to stdout so far."""
        return self._read("output")

    @property
    def errors(self) -> str:
        """What it has written to stderr so far."""
        return self._read("errors")

    @property
    def running(self) -> bool:
        """It has not ended yet."""
        return not (self.folder / "exit").exists()

    @property
    def nodes(self) -> list[str]:
        """The nodes that it has completed, such as ``btc_usdt.fetching.check_klines``."""
        return re.findall(r"Completed node: (\S+)", self.errors)

    def _read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def wait(self, seconds: float = 120) -> int:
        """Its exit code, negative for a signal."""
        return int(_appears(self.folder / "exit", seconds))

    def ok(self) -> "Command":
        """Wait for it to succeed."""
        code = self.wait()
        assert code == 0, f"exit code {code}\n{self.output[-2000:]}\n{self.errors[-6000:]}"
        return self

    def error(self) -> str:
        """Wait for it to fail in one line, as a user sees it; the line without ``Error: ``."""
        code = self.wait()
        assert code == 1, f"exit code {code}\n{self.output[-2000:]}\n{self.errors[-6000:]}"
        assert "Traceback" not in self.errors + self.output, self.errors
        told = [line for line in self.errors.splitlines() if line.startswith("Error: ")]
        assert len(told) == 1, self.errors
        assert self.errors.splitlines()[-1] == told[0], self.errors
        return told[0].removeprefix("Error: ")

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):  # It was faster.
            os.kill(self.pid, signal.SIGKILL)
        self.wait()


def _appears(path: Path, seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path}: not there after {seconds} s\n{_left(path.parent)}"
        time.sleep(0.01)
    return path.read_text()


def _left(folder: Path) -> str:
    return "\n".join(file.read_text(errors="replace")[-3000:] for file in sorted(folder.iterdir()))


@dataclass
class WarmKedro:
    """Starts Kedro commands."""

    process: subprocess.Popen[bytes]
    folder: Path
    count: int = 0

    def start(self, cwd: Path, *arguments: str, env: Mapping[str, str] | None = None, **limits: int) -> Command:
        """Start a command in a folder."""
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir()
        request = {
            "folder": str(folder),
            "cwd": str(cwd),
            "env": {**bare_environment(cwd), **(env or {})},
            "arguments": arguments,
            **limits,
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        return Command(folder)


def bare_environment(home: Path) -> dict[str, str]:
    """What a cron job has, and an empty home."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(home / "home"),
        "LANG": "C.UTF-8",
        "KEDRO_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="session")
def kedro(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmKedro]:
    """Starts Kedro commands, each in a process of its own."""
    folder = tmp_path_factory.mktemp("kedro")
    script = Path(__file__).with_name("warm_kedro.py")
    logging = yaml.safe_load((REPO / "conf" / "logging.yml").read_text())
    # Tests follow a run by its nodes.
    logging["loggers"]["kedro.runner"] = {"level": "INFO"}
    (folder / "logging.yml").write_text(yaml.safe_dump(logging))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(script), str(folder / "ready")],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**bare_environment(folder), "KEDRO_LOGGING_CONFIG": str(folder / "logging.yml")},
        )
    with process:
        _appears(folder / "ready", 60)
        yield WarmKedro(process, folder)


@dataclass
class Project:
    """A project's folder, and Kedro's commands in it."""

    folder: Path
    warm: WarmKedro
    exchange: str
    env: dict[str, str] = field(default_factory=dict)
    root: str = "data"
    parameters: dict[str, Any] = field(default_factory=SHORT.copy)

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, **limits: int) -> Command:
        """Start a Kedro command."""
        return self.warm.start(self.folder, *arguments, env={**self.env, **(env or {})}, **limits)

    def run(self, *arguments: str, pipeline: str | None = PAIR, **parameters: Any) -> Command:
        """Start ``kedro run`` on the test's exchange; parameters are named with two underscores for a dot."""
        return self.start(*self.run_arguments(*arguments, pipeline=pipeline, **parameters))

    def run_arguments(self, *arguments: str, pipeline: str | None = PAIR, **parameters: Any) -> tuple[str, ...]:
        """The arguments of such a command."""
        given = {"exchange_url": self.exchange, **self.parameters, **parameters}
        joined = ",".join(f"{name.replace('__', '.')}={value}" for name, value in given.items())
        chosen = [f"--pipeline={pipeline}"] if pipeline else []
        return ("run", *chosen, f"--params={joined}", *arguments)

    def path(self, *parts: str) -> Path:
        """A path below the store's root."""
        return self.folder.joinpath(self.root, *parts)

    def read_json(self, *parts: str) -> Any:
        """A JSON file below the store's root."""
        return json.loads(self.path(*parts).read_text())

    def pointer_file(self, pair: str = PAIR) -> Path:
        """The champion pointer's file."""
        return self.path("06_models", pair, "champion.json")

    def champion(self, pair: str = PAIR, env: str | None = None) -> Champion:
        """The model that is served."""
        return load_champion(open_catalog(env, self.folder), pair)

    def klines(self, pair: str = PAIR) -> pd.DataFrame:
        """The clean candles."""
        return pd.read_parquet(self.path("02_intermediate", pair, "klines.parquet"))

    def write_local(self, text: str, name: str = "parameters.yml") -> None:
        """Write a file of the environment ``local``."""
        (self.folder / "conf" / "local" / name).write_text(text)

    @property
    def cold_env(self) -> dict[str, str]:
        """The environment of a command that is not forked from the warm process."""
        return {**bare_environment(self.folder), **self.env}

    def versions(self, artifact: str = "manifest.json", pair: str = PAIR) -> list[str]:
        """Stored versions of an artifact."""
        folder = self.path("06_models", pair, artifact)
        return sorted(path.parent.name for path in folder.glob(f"*/{artifact}"))

    def copy(self, folder: Path) -> "Project":
        """The same project in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder, self.warm, self.exchange, dict(self.env), self.root, dict(self.parameters))


@pytest.fixture(scope="session", name="make_project")
def _make_project() -> Callable[[Path, WarmKedro, str], Project]:
    """Makes a project."""
    return make_project


def make_project(folder: Path, warm: WarmKedro, exchange: str) -> Project:
    """A folder with this checkout's configuration and nothing else."""
    shutil.copytree(REPO / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    shutil.copy(REPO / "pyproject.toml", folder)
    (folder / "src").mkdir()
    return Project(folder, warm, exchange)


@pytest.fixture(scope="session")
def market() -> SimulatedMarket:
    """A market whose candles are made once."""
    return SimulatedMarket(seed=7)


@pytest.fixture(scope="session")
def steady_exchange(market: SimulatedMarket) -> Iterator[ReplayServer]:
    """An exchange whose clock stands still and that never misbehaves."""
    with ReplayServer(market, Clock(NOW, speed=0)) as server:
        yield server


@pytest.fixture
def exchange(market: SimulatedMarket) -> Iterator[ReplayServer]:
    """An exchange that a test may let misbehave, or whose time it may change."""
    with ReplayServer(market, Clock(NOW, speed=0)) as server:
        yield server


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, kedro: WarmKedro, steady_exchange: ReplayServer) -> Project:
    """A project whose champion was published by one run of the pair; not to be changed."""
    folder = tmp_path_factory.mktemp("trained") / "project"
    project = make_project(folder, kedro, steady_exchange.url)
    project.run().ok()
    return project


@pytest.fixture
def project(trained: Project, tmp_path: Path) -> Project:
    """A project with a champion, to be changed."""
    return trained.copy(tmp_path / "project")


@pytest.fixture
def new_project(tmp_path: Path, kedro: WarmKedro, steady_exchange: ReplayServer) -> Project:
    """A project in which nothing has run yet."""
    return make_project(tmp_path / "project", kedro, steady_exchange.url)


@dataclass
class Served:
    """What was served before."""

    project: Project
    pair: str
    pointer: bytes
    version: str

    def check(self) -> None:
        """It still is: the pointer has not changed by a byte, and its model loads."""
        assert self.project.pointer_file(self.pair).read_bytes() == self.pointer
        assert self.project.champion(self.pair).manifest.version == self.version


@pytest.fixture
def served(project: Project) -> Served:
    """What the project serves."""
    return Served(project, PAIR, project.pointer_file().read_bytes(), project.champion().manifest.version)


@pytest.fixture
def misbehave(project: Project, exchange: ReplayServer) -> Callable[..., None]:
    """Let the project ask an exchange with faults, three hours later, so that it has something to ask for."""

    def begin(**options: Any) -> None:
        exchange.clock.advance(timedelta(hours=3))
        exchange.faults = Faults(**options)
        project.exchange = exchange.url

    return begin
