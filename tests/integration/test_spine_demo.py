"""The demo environment, which brings its own exchange."""

import contextlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from make_us_rich.replay import ReplayServer, SimulatedMarket, answers

REPO = Path(__file__).resolve().parents[2]
PAIRS = ("btc_usdt", "eth_usdt", "chz_usdt")


def left_running(session: int) -> list[str]:
    """Processes of a session (proc(5): the sixth field of stat)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # It ended meanwhile.
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                found.append(stat.parent.name)
    return found


@pytest.fixture(scope="module")
def demo(
    tmp_path_factory: pytest.TempPathFactory, kedro: Any, make_project: Any
) -> tuple[Any, subprocess.CompletedProcess[str]]:
    """A project after the whole demo."""
    project = make_project(tmp_path_factory.mktemp("demo") / "project", kedro, "")
    project.root = "data/demo"
    for name in ("demo.sh", "demo_api.py", "serve.py"):
        shutil.copy(REPO / name, project.folder)
    (project.folder / "serving").symlink_to(REPO / "serving")
    return project, run_cold(project, "./demo.sh")


def run_cold(project: Any, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a project's folder and wait for it."""
    return subprocess.run(
        command,
        cwd=project.folder,
        env=project.cold_env,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


@pytest.mark.slow
def test_the_demo_runs_by_itself_and_leaves_nothing_listening(demo: Any) -> None:
    project, answer = demo
    assert answer.returncode == 0, answer.stderr
    assert "this run has its own, with simulated candles" in answer.stderr
    assert not answers("http://127.0.0.1:8765")
    assert not (project.folder / "data" / "06_models").exists(), "the demo keeps to its own folder"


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS)
def test_the_demo_publishes_every_pair_and_shows_what_the_gate_said(demo: Any, pair: str) -> None:
    project, answer = demo
    manifest = project.champion(pair, env="demo").manifest
    assert manifest.verdict.publish
    ran, row, verdict, *_ = (line.split() for line in answer.stdout.splitlines() if line.startswith(pair))
    assert manifest.version in ran
    assert row[-1] == manifest.version
    assert verdict[:2] == [pair, "har"]


@pytest.mark.slow
def test_the_demo_prints_plain_lines_of_ours_only(demo: Any) -> None:
    _, answer = demo
    ours = r"(\w+ \| )?\d\d:\d\d:\d\d INFO +(make_us_rich|serving|uvicorn)"
    odd = [line for line in answer.stderr.splitlines() if not re.match(ours, line)]
    assert odd == []


@pytest.mark.slow
def test_the_lines_of_the_readme_load_the_champion_and_print_a_forecast(demo: Any) -> None:
    project, _ = demo
    readme = (REPO / "README.md").read_text()
    (lines,) = [block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "load_champion" in block]
    answer = run_cold(project, sys.executable, "-W", "error", "-c", lines)
    assert answer.stderr == ""
    assert re.match(r"\w+_usdt 2", answer.stdout), answer.stdout
    assert project.versions(pair=answer.stdout.split()[0])[0] in answer.stdout


def test_a_demo_that_fails_leaves_nothing_running_either(new_project: Any) -> None:
    command = new_project.start("run", "--env=demo", "--pipeline=btc_usdt", "--params=history_days=2")
    assert "fewest_candles" in command.error()
    assert left_running(session=command.pid) == []
    assert not answers("http://127.0.0.1:8765")


def test_the_demo_uses_the_exchange_that_answers_at_its_address(new_project: Any) -> None:
    with ReplayServer(SimulatedMarket(seed=7)) as server:
        globals_yml = new_project.folder / "conf" / "demo" / "globals.yml"
        text = globals_yml.read_text()
        globals_yml.write_text(re.sub(r"exchange_url: .*", f"exchange_url: {server.url}", text))
        done = new_project.start(
            "run", "--env=demo", "--pipeline=btc_usdt", "--tags=fetching", "--params=history_days=90"
        ).ok()
        assert any(path.endswith("/klines") for path, _ in server.requests)
    assert "this run has its own" not in done.errors
