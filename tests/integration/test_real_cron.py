"""``kedro schedule`` and the machine's own cron."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[2]
CRON = shutil.which("cron", path="/usr/sbin:/usr/bin:/sbin:/bin")
OTHERS = "# mine\n5 4 1 1 * true\n"


def crontab(*arguments: str, table: str | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["crontab", *arguments], input=table, capture_output=True, text=True, check=False)


@pytest.fixture
def own_crontab() -> Iterator[None]:
    """This user's crontab, to be filled and emptied by one test at a time."""
    if os.geteuid() != 0 or CRON is None or shutil.which("crontab") is None:
        pytest.skip("cron can be started by root alone, and where it is installed")
    with (Path(tempfile.gettempdir()) / "make-us-rich-crontab.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if crontab("-l").stdout:
            pytest.skip("this user's crontab has lines, and a test must not touch them")
        crontab("-", table=OTHERS)
        try:
            yield
        finally:
            crontab("-r")


@pytest.fixture
def cron(own_crontab: None) -> Iterator[None]:
    """The cron daemon, for a test; where one is running already, that one."""
    assert CRON is not None
    daemon = subprocess.Popen([CRON, "-f", "-L", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            daemon.terminate()
        daemon.wait(timeout=10)


@pytest.fixture
def scheduled(new_project: Any, tmp_path: Path) -> Any:
    """A project in a folder whose name cron would trip over, and a line for every minute."""
    project = new_project.copy(tmp_path / "make us rich 100 %")
    shutil.copytree(REPO / "trainer", project.folder / "trainer")
    file = project.folder / "trainer" / "crontab"
    file.write_text(file.read_text().replace("2,17,32,47 *", "* *"))
    project.write_local("pairs: [btc_usdt]\nhistory_days: 5\n")
    project.write_local(f"exchange_url: {project.exchange}\n", "globals.yml")
    (project.folder / ".env").write_text(
        "AWS_SECRET_ACCESS_KEY=not-to-be-printed\nMLFLOW_TRACKING_URI=from-the-file\n: > called\n"
    )
    return project


def kedro(project: Any, *arguments: str) -> str:
    told: str = project.start(*arguments).ok().output
    return told


@pytest.mark.slow
def test_cron_calls_the_job_within_70_seconds_and_no_secret_is_printed(cron: None, scheduled: Any) -> None:
    told = kedro(scheduled, "schedule")
    log = scheduled.path("hourly", "hourly.log")
    deadline = time.monotonic() + 70
    # The shell reads .env before Python starts, which takes its time on a busy machine.
    while not (scheduled.folder / "called").exists():
        assert time.monotonic() < deadline, "cron has not called the job"
        time.sleep(0.1)
    kedro(scheduled, "unschedule")

    assert crontab("-l").stdout == OTHERS
    assert "not-to-be-printed" not in told
    # Five days of candles are too few, and the run says so: it got as far as the project's parameters and exchange.
    patience = time.monotonic() + 120
    while not log.exists() or not log.read_text():
        assert time.monotonic() < patience, "the run has not ended"
        time.sleep(0.1)
    assert "btc_usdt failed" in log.read_text()
    assert "not-to-be-printed" not in log.read_text() + scheduled.path("hourly", "output.log").read_text()


def test_scheduling_twice_changes_nothing_and_unscheduling_leaves_no_trace(own_crontab: None, scheduled: Any) -> None:
    assert "these lines are in the crontab now" in kedro(scheduled, "schedule")
    once = crontab("-l").stdout
    assert once.startswith(OTHERS)
    assert f"MAKE_US_RICH_PROJECT='{scheduled.folder}'" in once

    assert "nothing was changed" in kedro(scheduled, "schedule")
    assert crontab("-l").stdout == once

    kedro(scheduled, "unschedule")
    assert crontab("-l").stdout == OTHERS
    assert "nothing was changed" in kedro(scheduled, "unschedule")
