"""A project in a folder of its own, and Kedro commands in it: processes forked by Python's fork server."""

import atexit
import contextlib
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pandas as pd

from make_us_rich.inference.champion import Champion
from make_us_rich.repository import ModelRepository

REPO = Path(__file__).resolve().parents[2]
PAIR = "btc_usdt"
NOW = datetime(2025, 3, 1, 12, 34, 56, tzinfo=UTC)
SHORT = {
    "architectures": "har",
    "history_days": 90,
    "backtest__n_folds": 2,
    "backtest__test_size": 72,
    "backtest__calibration_size": 72,
    "backtest__min_train_size": 200,
}
"""One challenger, few candles, and folds that they do for. The gate asks for more, so that it is refused."""
TINY = {
    "architectures": "lstm_levels",
    "training__lstm_levels__lookback": 24,
    "training__lstm_levels__batch_size": 4096,
    "training__lstm_levels__hidden_size": 4,
    "training__lstm_levels__layers": 1,
    "training__lstm_levels__dropout": 0.0,
    "training__lstm_levels__max_epochs": 1,
}
"""The original recipe in one epoch, as the only challenger; it is bad."""
PRELOAD = [
    "kedro_mlflow.framework.cli.cli",
    "kedro_telemetry.plugin",
    "kedro_viz.launchers.cli.main",
    "mlflow.sklearn",
    "s3fs",
    "make_us_rich.preload",
    "make_us_rich.cli",
]


def bare_environment(home: Path) -> dict[str, str]:
    """What a cron job has, and an empty home."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(home / "home"),
        "LANG": "C.UTF-8",
        "KEDRO_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "OMP_NUM_THREADS": "1",
        "ORT_DISABLE_TELEMETRY": "1",
    }


@dataclass
class Command:
    """A Kedro command that was started; stdout and stderr go to files of its folder."""

    process: BaseProcess
    folder: Path

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text(errors="replace")

    @property
    def errors(self) -> str:
        return (self.folder / "errors").read_text(errors="replace")

    @property
    def running(self) -> bool:
        return self.process.exitcode is None

    @property
    def nodes(self) -> list[str]:
        """The nodes that it has completed, such as ``btc_usdt.fetching.check_klines``."""
        return re.findall(r"Completed node: (\S+)", self.errors)

    def wait(self, seconds: float = 120) -> int:
        """Its exit code, negative for a signal."""
        self.process.join(seconds)
        code = self.process.exitcode
        assert code is not None, f"still running after {seconds} s\n{self.errors[-3000:]}"
        return code

    def wait_until(self, condition: Callable[[], Any]) -> None:
        """Check a condition until it is true or the command ends."""
        while self.running and not condition():
            time.sleep(0.005)

    def wait_for_node(self, part: str) -> None:
        """Wait until a node whose name has this part is completed, or the command ends."""
        self.wait_until(lambda: any(part in node for node in self.nodes))

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
        lines = [line for line in self.errors.splitlines() if line.startswith("Error: ")]
        assert lines == self.errors.splitlines()[-1:], self.errors
        return lines[0].removeprefix("Error: ")

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # It was faster.
            os.kill(self.pid, signal.SIGKILL)
        self.wait()


@dataclass
class Project:
    """A project's folder, and Kedro's commands in it."""

    folder: Path
    exchange: str
    env: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=SHORT.copy)

    @classmethod
    def create(cls, folder: Path, exchange: str, parameters: dict[str, Any] = SHORT) -> "Project":
        """A folder with this checkout's configuration and nothing else."""
        shutil.copytree(REPO / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
        shutil.copy(REPO / "pyproject.toml", folder)
        for name in ("conf/local", "src", "home"):
            (folder / name).mkdir()
        return cls(folder, exchange, parameters=dict(parameters))

    def copy(self, folder: Path) -> "Project":
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder, self.exchange, dict(self.env), dict(self.parameters))

    def start(self, *arguments: str) -> Command:
        logs = Path(tempfile.mkdtemp(prefix="command-", dir=self.folder.parent))
        for name in ("output", "errors"):
            (logs / name).touch()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        process = context.Process(target=_run_command, args=(logs, self.folder, self.cold_env, arguments), daemon=False)
        process.start()
        return Command(process, logs)

    def run(self, *arguments: str, pipeline: str | None = PAIR, **parameters: Any) -> Command:
        """Start ``kedro run`` on the test's exchange; parameters are named with two underscores for a dot."""
        return self.start("run", *self.run_arguments(*arguments, pipeline=pipeline, **parameters))

    def run_arguments(self, *arguments: str, pipeline: str | None = PAIR, **parameters: Any) -> tuple[str, ...]:
        given = {"exchange_url": self.exchange, **self.parameters, **parameters}
        joined = ",".join(f"{name.replace('__', '.')}={value}" for name, value in given.items())
        chosen = [f"--pipeline={pipeline}"] if pipeline else []
        return (*chosen, f"--params={joined}", *arguments)

    def run_cold(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command that is not forked from the fork server, and wait for it."""
        return subprocess.run(
            command, cwd=self.folder, env=self.cold_env, capture_output=True, text=True, check=False, timeout=280
        )

    @property
    def cold_env(self) -> dict[str, str]:
        return {**bare_environment(self.folder), **self.env}

    def path(self, *parts: str) -> Path:
        return self.folder.joinpath("data", *parts)

    def read_json(self, *parts: str) -> Any:
        return json.loads(self.path(*parts).read_text())

    def read_table(self, *parts: str) -> pd.DataFrame:
        return pd.read_parquet(self.path(*parts))

    def champion(self, pair: str = PAIR, env: str | None = None) -> Champion:
        return ModelRepository.open(env, self.folder).model(pair)

    def served(self) -> tuple[bytes, str]:
        """The champion pointer's bytes, and the version of the model, which loads."""
        return self.path("06_models", PAIR, "champion.json").read_bytes(), self.champion().manifest.version

    def klines(self, pair: str = PAIR) -> pd.DataFrame:
        return self.read_table("02_intermediate", pair, "klines.parquet")

    def verdicts(self) -> pd.DataFrame:
        return self.read_table("08_reporting", PAIR, "verdicts.parquet")

    def write_local(self, text: str, name: str = "parameters.yml") -> None:
        (self.folder / "conf" / "local" / name).write_text(text)

    def versions(self, artifact: str = "manifest.json", pair: str = PAIR) -> list[str]:
        folder = self.path("06_models", pair, artifact)
        return sorted(path.parent.name for path in folder.glob(f"*/{artifact}"))


def _run_command(logs: Path, cwd: Path, env: dict[str, str], arguments: tuple[str, ...]) -> None:
    """In the process: become what a shell would have started, and run the command."""
    os.setsid()
    # What a shell starts in the background ignores it, and so would everything from there on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for descriptor, name in ((1, "output"), (2, "errors")):
        file = os.open(logs / name, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = ["kedro", *arguments]
    forkserver._forkserver.__init__()  # type: ignore[misc]  # A fork server of its own, with its own environment.
    from kedro.framework.cli import main

    try:
        main()
    except Exception:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        sys.exit(1)
    finally:
        atexit._run_exitfuncs()
