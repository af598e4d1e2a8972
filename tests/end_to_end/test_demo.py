"""``make demo`` and the interface, traced: what they show, and that they connect to this machine only."""

import os
import re
import shutil
import signal
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from end_to_end.project import REPO, Project
from make_us_rich.replay import answers
from network import free_port, status, wait_until
from processes import processes_in

PAIRS = ("btc_usdt", "eth_usdt", "chz_usdt")
DEMO = "make_us_rich.demo"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in whose environment there is nothing that silences telemetry, with an empty home."""
    return create_demo(tmp_path_factory.mktemp("demo") / "project")


def create_demo(folder: Path) -> Project:
    """A project in which the demo's exchange has a free port."""
    project = Project.create(folder, f"http://127.0.0.1:{free_port()}")
    globals_yml = folder / "conf" / "demo" / "globals.yml"
    globals_yml.write_text(globals_yml.read_text().replace("http://127.0.0.1:8765", project.exchange))
    return project


def trace(project: Project, module: str, **variables: str) -> "subprocess.Popen[bytes]":
    """A module of this project, under strace where that is installed; it logs stdout and stderr."""
    strace = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o"]
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(project.folder / "home"),
        "PYTHONPATH": f"{REPO}:{REPO / 'src'}",
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    traced = [*strace, str(project.folder / f"{module}.strace")] if shutil.which("strace") else []
    with (project.folder / f"{module}.out").open("wb") as out, (project.folder / f"{module}.err").open("wb") as err:
        return subprocess.Popen(
            [*traced, sys.executable, "-m", module], cwd=project.folder, env=environment, stdout=out, stderr=err
        )


def assert_loopback_only(project: Project, module: str) -> None:
    """The trace has no internet address that is not loopback."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    text = (project.folder / f"{module}.strace").read_text(errors="replace")
    found = re.findall(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"', text)
    assert {address for pair in found for address in pair if address and not ip_address(address).is_loopback} == set()


@pytest.fixture(scope="module")
def demo(project: Project) -> tuple[str, str]:
    """What the whole demo has written to stdout and stderr."""
    code = trace(project, DEMO).wait(timeout=280)
    output, errors = ((project.folder / f"{DEMO}.{name}").read_text() for name in ("out", "err"))
    assert code == 0, errors[-3000:]
    return output, errors


def test_the_demo_publishes_every_pair_and_shows_verdicts_and_forecasts(
    project: Project, demo: tuple[str, str]
) -> None:
    output, errors = demo
    assert "this run starts its own, simulated" in errors
    ours = r"(\w+ \| )?\d\d:\d\d:\d\d INFO +(make_us_rich|serving|uvicorn)"
    assert [line for line in errors.splitlines() if not re.match(ours, line)] == []
    for pair in PAIRS:
        manifest = project.champion(pair, env="demo").manifest
        assert manifest.verdict.publish
        ran, row, verdict, forecast = (line for line in output.splitlines() if line.startswith(pair))
        assert manifest.version in ran
        assert row.split()[-1] == manifest.version
        assert verdict.split()[:2] == [pair, "har"]
        assert re.match(rf"{pair}: [\d.]+ at \S+ \S+ UTC, {manifest.architecture}", forecast)
    assert "997 of 1000 calls remain this month" in output
    assert "The market is simulated" in output


def test_the_demo_connects_to_loopback_only_and_leaves_nothing_behind(project: Project, demo: tuple[str, str]) -> None:
    assert demo
    assert not answers(project.exchange)
    assert processes_in(project.folder) == set()
    assert not (project.folder / "data" / "06_models").exists(), "the demo keeps to its own folder"
    assert not list(project.folder.rglob("accounts.db"))
    written = {path.parent.name for path in (project.folder / "home").rglob("*") if path.is_file()}
    assert written <= {"matplotlib"}, "only a font cache and no device id"
    assert_loopback_only(project, DEMO)


def test_the_lines_of_the_readme_load_the_champion_and_print_a_forecast(
    project: Project, demo: tuple[str, str]
) -> None:
    assert demo
    readme = (REPO / "README.md").read_text()
    (lines,) = [block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "ModelRepository" in block]
    answer = project.run_cold(sys.executable, "-W", "error", "-c", lines)
    assert answer.stderr == ""
    assert project.champion(answer.stdout.split()[0], env="demo").manifest.version in answer.stdout


def test_a_demo_that_fails_leaves_nothing_listening_either(tmp_path: Path) -> None:
    project = create_demo(tmp_path / "project")
    command = project.start("run", "--env=demo", "--pipeline=btc_usdt", "--params=history_days=2")
    assert "min_candles" in command.error()
    assert not answers(project.exchange)


def test_the_interface_connects_to_loopback_only(project: Project) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    settings = {"MAKE_US_RICH_INTERFACE_PORT": url.rpartition(":")[2], "MAKE_US_RICH_API_URL": "http://127.0.0.1:9"}
    interface = trace(project, "interface", **settings)
    try:
        wait_until(lambda: status(f"{url}/_stcore/health") == 200 or interface.poll() is not None)
        assert status(url) == 200
    finally:
        for child in Path(f"/proc/{interface.pid}/task/{interface.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGTERM)
        interface.terminate()
        interface.wait(timeout=60)
    assert_loopback_only(project, "interface")
