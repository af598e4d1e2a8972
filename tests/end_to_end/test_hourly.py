"""``kedro hourly``: every run a process of its own, recorded, and done once an hour; and called by cron."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from end_to_end.project import REPO, Project
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.run_log import PipelineRun, read_runs, write_runs
from make_us_rich.replay import ReplayServer

SHORT = """
pairs: [btc_usdt, eth_usdt]
architectures: har
history_days: 40
backtest: {n_folds: 2, test_size: 72, calibration_size: 72, min_train_size: 200}
alerts: {min_disk_free: 0}  # The disk is this machine's.
"""
CRON = shutil.which("cron", path="/usr/sbin:/usr/bin:/sbin:/bin")
OTHERS = "# mine\n5 4 1 1 * true\n"
Job = tuple[Project, str]


def crontab(*arguments: str, table: str | None = None) -> str:
    return subprocess.run(["crontab", *arguments], input=table, capture_output=True, text=True, check=False).stdout


def lay_out(folder: Path, exchange: str) -> Project:
    """A project in a folder whose name cron would trip over, with a line for every minute, and nothing due."""
    project = Project.create(folder / "make us rich 100 %", exchange)
    shutil.copytree(REPO / "deploy" / "trainer", project.folder / "deploy" / "trainer")
    file = project.folder / "deploy" / "trainer" / "crontab"
    file.write_text(file.read_text().replace("2,17,32,47 *", "* *"))
    project.write_local("pairs: [btc_usdt]\n")
    # Not for a shell: two addresses with a space, an ampersand, a dollar sign, and the line ends of Windows.
    (project.folder / ".env").write_bytes(
        b"AWS_SECRET_ACCESS_KEY=not-to-be-printed\r\n"
        b"MAKE_US_RICH_ALERT_URLS=json://127.0.0.1:9/one json://127.0.0.1:9/two&three\r\n"
        b"POSTGRES_PASSWORD='pa$word'\r\n"
    )
    now = datetime.now(UTC)
    runs = [
        PipelineRun(pair="btc_usdt", pipeline=name, started=at, ended=at, exit_code=0)
        for name in ("btc_usdt", "monitor_btc_usdt")
        for at in (now, now + timedelta(hours=1))
    ]
    file = project.path("08_reporting", "btc_usdt", "runs.json")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(write_runs(runs)))
    return project


@pytest.fixture(scope="module")
def cron_job(tmp_path_factory: pytest.TempPathFactory, steady_exchange: ReplayServer) -> Iterator[Job | None]:
    """A project that cron calls every minute, and what scheduling it has printed; None where no cron can start.

    The crontab is that of this user, and used by one test session at a time. Cron reads it again only if the time of
    the change differs by a second, so it is started after the last change.
    """
    if os.geteuid() != 0 or CRON is None or shutil.which("crontab") is None:
        yield None
        return
    with (Path(tempfile.gettempdir()) / "make-us-rich-crontab.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if crontab("-l"):
            yield None  # Lines that a test must not touch.
            return
        crontab("-", table=OTHERS)
        try:
            project = lay_out(tmp_path_factory.mktemp("cron"), steady_exchange.url)
            output = project.start("schedule").ok().output
            daemon = subprocess.Popen([CRON, "-f", "-L", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            yield project, output
            daemon.terminate()
            daemon.wait(timeout=10)
        finally:
            crontab("-r")


@pytest.fixture
def scheduled(new_project: Project) -> Project:
    """A project that runs quickly without ``--params``."""
    new_project.write_local(SHORT)
    new_project.write_local(f"exchange_url: {new_project.exchange}\n", "globals.yml")
    return new_project


def runs_of(project: Project, pair: str) -> list[PipelineRun]:
    return read_runs(project.read_json("08_reporting", pair, "runs.json"), pair)


@pytest.mark.slow
def test_each_pipeline_runs_once_an_hour_and_a_pair_that_fails_leaves_the_others_alone(
    scheduled: Project, cron_job: Job | None
) -> None:
    """Cron waits for its minute meanwhile."""
    scheduled.path("02_intermediate", "btc_usdt", "klines.parquet").mkdir(parents=True)

    command = scheduled.start("hourly")

    assert command.wait(300) == 1  # Four runs.
    for pipeline in ("btc_usdt", "monitor_btc_usdt"):
        assert re.search(
            rf"UTC {pipeline} failed with exit code 1 in .*a folder is where a file should", command.errors
        )
    assert not any(run.ok for run in runs_of(scheduled, "btc_usdt"))

    # A first model, and the forecast that had to wait for it.
    training, forecast = runs_of(scheduled, "eth_usdt")[:2]
    assert (training.pipeline, forecast.pipeline) == ("eth_usdt", "monitor_eth_usdt")
    assert re.search(r"UTC eth_usdt started\n.*UTC eth_usdt succeeded in \d+ s: published \S+: ", command.output)
    assert re.search(r"monitor_eth_usdt succeeded in \d+ s: forecast for \d\d:00 UTC issued by ", command.output)
    assert scheduled.champion("eth_usdt").manifest.pair == "eth_usdt"
    assert len(pd.read_parquet(scheduled.path("07_model_output", "eth_usdt", "live_record.parquet"))) == HORIZON

    *lines, pruned, checked = scheduled.path("hourly", "hourly.log").read_text().splitlines()
    # The start and the end of each run; there are more than four where an hour ends meanwhile.
    assert len(lines) == 2 * sum(len(runs_of(scheduled, pair)) for pair in ("btc_usdt", "eth_usdt"))
    assert pruned == "0 runs older than 30 days were deleted from MLflow"
    assert checked == "2 problems found: run_failed btc_usdt, run_failed btc_usdt training"
    assert {*lines, pruned, checked} <= {*command.output.splitlines(), *command.errors.splitlines()}
    assert "published version" in scheduled.path("hourly", "output.log").read_text()

    scheduled.start("hourly", "eth_usdt").ok()
    succeeded = Counter((run.pipeline, run.hour) for run in runs_of(scheduled, "eth_usdt") if run.ok)
    assert set(succeeded.values()) == {1}


@pytest.mark.slow
def test_cron_calls_the_job_and_no_secret_is_printed(cron_job: Job | None) -> None:
    if cron_job is None:
        pytest.skip("cron can be started by root alone, where it is installed, and with an empty crontab")
    project, output = cron_job
    log = project.path("hourly", "hourly.log")
    deadline = time.monotonic() + 240
    while not log.exists() or "problem" not in log.read_text():
        assert time.monotonic() < deadline, "cron has not called the job"
        time.sleep(0.1)
    project.start("unschedule").ok()

    assert crontab("-l") == OTHERS
    assert log.read_text().startswith("nothing is due in this hour\n")
    assert "not-to-be-printed" not in output + log.read_text()
