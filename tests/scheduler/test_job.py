"""The job on a real catalog, with runs that end as a test says."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kedro.io import DataCatalog

from make_us_rich.domain.run_log import MONITORING, PipelineRun, read_runs, update_runs, write_runs
from make_us_rich.locks import file_lock
from make_us_rich.scheduler.due import Task
from make_us_rich.scheduler.job import Job, JobLog
from network import wait_until
from processes import processes_in

PAIRS = ["btc_usdt", "eth_usdt"]
ALL = ["monitor_btc_usdt", "monitor_eth_usdt", *PAIRS]
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


class Site:
    """A job's surroundings: a store, logs, a clock, and how each pipeline's run ends."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.minutes = folder, NOON + timedelta(minutes=2), 1
        self.errors: dict[str, str] = {}
        self.silent: set[str] = set()
        self.forecast: bool | None = True
        self.lines: list[tuple[str, bool]] = []
        dataset = {
            "type": "make_us_rich.datasets.files.OptionalJSONDataset",
            "filepath": f"{folder}/store/{{pair}}/runs.json",
        }
        self.catalog = DataCatalog.from_config({"{pair}.runs": dataset})

    def run(self, task: Task) -> tuple[int, str]:
        """A run that records itself, as the hook does, unless it is silent."""
        run = PipelineRun(pair=task.pair, pipeline=task.pipeline, started=self.now)
        self.now += timedelta(minutes=self.minutes)
        error = self.errors.get(task.pipeline)
        code = 1 if error else 0
        if task.pipeline not in self.silent:
            forecast = self.forecast if task.template == MONITORING and not error else None
            end = {"ended": self.now, "exit_code": code, "reason": error or "published", "forecast": forecast}
            self.store(run.model_copy(update=end))
        return code, f"last line of {task.pipeline}"

    def store(self, *runs: PipelineRun) -> None:
        for run in runs:
            self.catalog.save(f"{run.pair}.runs", write_runs(update_runs(self.stored(run.pair), run)))

    def stored(self, pair: str) -> list[PipelineRun]:
        return read_runs(self.catalog.load(f"{pair}.runs"), pair)

    def work(self, max_attempts: int = 2) -> list[PipelineRun]:
        log = JobLog(self.folder / "logs", lambda line, failed: self.lines.append((line, failed)))
        try:
            return Job(self.catalog, PAIRS, max_attempts, self.run, log, lambda: self.now).run()
        finally:
            log.close()

    @property
    def text(self) -> str:
        return "\n".join(line for line, _ in self.lines)


def trained(pair: str, hours: int = -1) -> PipelineRun:
    started = NOON + timedelta(hours=hours)
    return PipelineRun(pair=pair, pipeline=pair, started=started, ended=started, exit_code=0)


@pytest.fixture
def new_site(tmp_path: Path) -> Site:
    """Where nothing has run yet."""
    return Site(tmp_path)


@pytest.fixture
def site(new_site: Site) -> Site:
    """Where each pair has a model of the hour before."""
    new_site.store(*map(trained, PAIRS))
    return new_site


def names(runs: list[PipelineRun]) -> list[str]:
    return [run.pipeline for run in runs]


def test_a_failure_leaves_the_other_pairs_alone_and_is_tried_again(site: Site) -> None:
    site.errors["btc_usdt"] = "Binance does not answer"

    first, second, third = site.work(), site.work(), site.work()

    assert (names(first), names(second), names(third)) == (ALL, ["btc_usdt"], [])
    assert [run.reason for run in first if run.failed] == ["Binance does not answer"]


def test_an_hour_without_a_forecast_is_tried_again_until_it_has_one(site: Site) -> None:
    site.forecast = False
    first = site.work(max_attempts=3)
    site.forecast = True
    second, third = site.work(max_attempts=3), site.work(max_attempts=3)

    assert (names(first), names(second), names(third)) == (ALL, ALL[:2], [])
    assert all(run.ok for run in first)


def test_an_hour_without_a_forecast_is_tried_once_a_job_and_no_more_than_max_attempts(new_site: Site) -> None:
    new_site.forecast = False

    assert [sorted(names(new_site.work(max_attempts=2))) for _ in range(3)] == [sorted(ALL), ALL[:2], []]


def test_a_monitoring_recorded_by_an_earlier_release_is_not_repeated(site: Site) -> None:
    site.forecast = None

    assert (names(site.work()), names(site.work())) == (ALL, [])


@pytest.mark.parametrize(("killed", "code"), [(True, 1), (False, 1), (False, 0)])
def test_a_run_that_could_not_record_its_end_has_one_entry_by_the_job(site: Site, killed: bool, code: int) -> None:
    if killed:  # After its first hook has recorded it.
        site.store(PipelineRun(pair="btc_usdt", pipeline="btc_usdt", started=site.now + timedelta(minutes=2)))
    site.silent.add("btc_usdt")
    if code:
        site.errors["btc_usdt"] = "not recorded"
    site.work()

    (run,) = [run for run in site.stored("btc_usdt") if run.pipeline == "btc_usdt" and run.hour == NOON]
    assert (run.exit_code, run.reason) == (code, "last line of btc_usdt")
    assert run.ended == site.now - timedelta(minutes=1)


def test_a_job_that_records_a_killed_run_waits_for_another_process_and_retains_its_record(site: Site) -> None:
    site.silent.add("btc_usdt")
    tuning = PipelineRun(pair="btc_usdt", pipeline="tune_btc_usdt", started=site.now)

    def recorded() -> set[str]:
        return {run.pipeline for run in site.stored("btc_usdt") if run.hour == NOON}

    with ThreadPoolExecutor() as pool:
        with file_lock(site.catalog, "btc_usdt.runs"):
            job = pool.submit(site.work)
            wait_until(lambda: "UTC btc_usdt started" in site.text)
            time.sleep(0.3)
            assert recorded() == {"monitor_btc_usdt"}
            site.store(tuning)
        job.result()

    assert recorded() == {"monitor_btc_usdt", "tune_btc_usdt", "btc_usdt"}


def test_when_the_hour_changes_its_forecasts_come_before_the_next_model(site: Site) -> None:
    site.minutes = 20

    # 12:02 and 12:22 forecasts, 12:42 a model until 13:02; then the new hour's forecasts, and the other model.
    assert [(run.pipeline, run.hour.hour) for run in site.work()] == [
        ("monitor_btc_usdt", 12),
        ("monitor_eth_usdt", 12),
        ("btc_usdt", 12),
        ("monitor_btc_usdt", 13),
        ("monitor_eth_usdt", 13),
        ("eth_usdt", 13),
        ("monitor_btc_usdt", 14),
        ("monitor_eth_usdt", 14),
    ]


@pytest.mark.parametrize("damage", ["content", "file"])
def test_a_run_log_that_is_not_available_stops_nothing(new_site: Site, damage: str) -> None:
    if damage == "file":
        (new_site.folder / "store").write_text("a file where a folder should be")
    else:
        (new_site.folder / "store" / "btc_usdt").mkdir(parents=True)
        (new_site.folder / "store" / "btc_usdt" / "runs.json").write_text('{"runs": [{}]}')
    new_site.silent.update(ALL)

    assert sorted(names(new_site.work())) == sorted(ALL)
    assert "btc_usdt: the run log is not available: " in new_site.text


@pytest.fixture
def log(tmp_path: Path) -> Iterator[JobLog]:
    made = JobLog(tmp_path / "logs", lambda line, failed: None)
    yield made
    made.close()


def python(lines: str) -> list[str]:
    return [sys.executable, "-c", lines]


def test_the_reason_of_a_command_is_its_last_line_and_its_output_is_logged(log: JobLog, tmp_path: Path) -> None:
    lines = "import os, sys; print(os.getcwd()); print('Error: x: wrong; correct it\\n', file=sys.stderr); sys.exit(1)"

    assert log.run(python(lines), tmp_path, 60) == (1, "x: wrong; correct it")
    assert f"\n{tmp_path}\n" in (tmp_path / "logs" / "output.log").read_text()
    assert log.run(["true"], tmp_path, 60) == (0, "no output")


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(log: JobLog, tmp_path: Path) -> None:
    command = ["sh", "-c", "sleep 600 & wait"]

    assert log.run(command, tmp_path, 0.6) == (-signal.SIGTERM, "stopped after 0.01 min (scheduler.timeout_minutes)")
    wait_until(lambda: not processes_in(tmp_path))


def test_the_end_of_the_job_ends_the_current_run(tmp_path: Path) -> None:
    lines = (
        "import signal, sys; from pathlib import Path; from make_us_rich.scheduler.job import JobLog\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))\n"
        "JobLog(Path(), print).run(['sh', '-c', 'touch started; exec sleep 600'], Path(), 600)\n"
    )
    job = subprocess.Popen(python(lines), cwd=tmp_path)
    wait_until((tmp_path / "started").exists)

    job.terminate()
    job.wait(timeout=60)

    wait_until(lambda: not processes_in(tmp_path))


def test_the_logs_do_not_grow_for_ever(log: JobLog, tmp_path: Path) -> None:
    for _ in range(7):
        log.run(["head", "--bytes=6000000", "/dev/zero"], tmp_path, 60)

    assert sum(file.stat().st_size for file in (tmp_path / "logs").iterdir()) < 4 * 6_100_000


def test_the_loop_of_the_container_calls_the_job_at_once_and_ends_with_it(tmp_path: Path) -> None:
    kedro, called = tmp_path / "kedro", tmp_path / "called"
    kedro.write_text("#!/bin/sh\necho $@ > called\nexec sleep 600\n")
    kedro.chmod(0o755)
    script = Path(__file__).resolve().parents[2] / "deploy" / "trainer" / "loop.sh"
    loop = subprocess.Popen([script], cwd=tmp_path, env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    wait_until(lambda: called.exists() and called.read_text() == "hourly\n")

    loop.terminate()

    assert loop.wait(timeout=60) == 0
    wait_until(lambda: not processes_in(tmp_path))
