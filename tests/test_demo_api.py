"""The last step of make demo: it shows forecasts over HTTP, and leaves nothing behind however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from server_process import PATIENCE, REPO
from serving_process import wait_until
from synthetic import VERSION, lay_out, store


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose environment ``demo`` has one pair with a model."""
    store(lay_out(tmp_path), VERSION)
    demo = tmp_path / "conf/demo"
    demo.mkdir()
    (demo / "globals.yml").write_text("root: data\nexchange_url: http://127.0.0.1:9\nreplay: {seed: 42}\n")
    (demo / "parameters.yml").write_text("pairs: [btc_usdt]\n")
    return tmp_path


def started(project: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    command = [sys.executable, str(REPO / "demo_api.py")]
    return subprocess.Popen(command, cwd=project, env=environment, stdout=-1, stderr=-1, text=True)


def servers(project: Path) -> list[str]:
    """Processes that work in the project's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found += [process.name] if (process / "cwd").readlink() == project else []
        except OSError:
            continue  # It has just ended.
    return found


def test_it_shows_a_forecast_of_each_pair_and_ends_what_it_started(project: Path) -> None:
    demo = started(project)
    told, errors = demo.communicate(timeout=PATIENCE)

    assert demo.returncode == 0, errors
    assert "btc_usdt: " in told
    assert "forecast by baseline" in told
    assert "999 of 1000 calls are left this month" in told
    assert servers(project) == []
    assert not list(project.rglob("accounts.db"))


def test_interrupted_it_ends_what_it_started(project: Path) -> None:
    demo = started(project)
    wait_until(lambda: len(servers(project)) == 2)
    demo.send_signal(signal.SIGINT)
    told, _ = demo.communicate(timeout=PATIENCE)

    assert demo.returncode == 130
    assert "btc_usdt: " not in told
    assert servers(project) == []


def test_without_a_model_it_says_why_and_ends_what_it_started(project: Path) -> None:
    (project / "conf/demo/parameters.yml").write_text("pairs: [eth_usdt]\n")
    demo = started(project)
    _, errors = demo.communicate(timeout=PATIENCE)

    assert demo.returncode == 1
    assert "eth_usdt: no model is published" in errors
    assert servers(project) == []
