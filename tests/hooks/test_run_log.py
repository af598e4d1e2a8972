"""Runs of whole pipelines are recorded in the run log, however they end."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from live_files import write_live
from make_us_rich.datasets.files import OptionalJSONDataset
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import LockedError
from make_us_rich.domain.run_log import PipelineRun, read_runs
from make_us_rich.hooks.run_log import RunLogHooks
from make_us_rich.locks import pair_lock
from synthetic import RUN

NOW = datetime(2025, 3, 1, 10, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Refuses:
    """A hook that refuses every run."""

    @hook_impl
    def before_pipeline_run(self) -> None:
        raise LockedError("btc_usdt: another run holds it; wait for it to end")


class SlowDataset(OptionalJSONDataset):
    """A run log that takes so long to load that another process loads it meanwhile."""

    def load(self) -> Any:
        log = super().load()
        time.sleep(0.3)
        return log


class Runs:
    """Kedro's order of hooks around a run."""

    def __init__(self, folder: Path, *others: object) -> None:
        self.now, self.path = NOW, folder / "runs.json"
        pointer = ChampionPointer(pair="btc_usdt").promote(RUN.version, NOW, "passed the gate")
        self.catalog = DataCatalog(
            {
                "btc_usdt.runs": OptionalJSONDataset(filepath=str(self.path)),
                "btc_usdt.champion": MemoryDataset(pointer),
                "btc_usdt.run": MemoryDataset(RUN),
                "btc_usdt.live_scores": OptionalJSONDataset(
                    filepath=str(folder / "data/08_reporting/btc_usdt/live_scores.json")
                ),
            }
        )
        manager = _create_hook_manager()
        for each in (*others, RunLogHooks(lambda: self.now)):
            manager.register(each)
        self.hook = manager.hook

    def begin(self, pipeline: str = "btc_usdt", **params: Any) -> None:
        look = Node(lambda x: x, "klines", "seen", name="look")
        self.given = {
            "run_params": {"pipeline_names": [pipeline], **params},
            "pipeline": Pipeline([look], namespace="btc_usdt.monitoring"),
            "catalog": self.catalog,
        }
        self.hook.before_pipeline_run(**self.given)

    def end(self, error: Exception | None = None) -> None:
        if error is None:
            self.hook.after_pipeline_run(run_result={}, **self.given)
        else:
            self.hook.on_pipeline_error(error=error, **self.given)

    @property
    def recorded(self) -> list[PipelineRun]:
        return read_runs(self.catalog.load("btc_usdt.runs"), "btc_usdt")


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_a_run_that_another_hook_refuses_is_recorded(tmp_path: Path) -> None:
    runs = Runs(tmp_path, Refuses())
    with pytest.raises(LockedError):
        runs.begin()

    assert runs.recorded[0].reason == "btc_usdt: another run holds it; wait for it to end"


def test_of_two_processes_neither_loses_what_the_other_records(tmp_path: Path) -> None:
    one, other = Runs(tmp_path), Runs(tmp_path)
    other.now += MINUTE
    for each in (one, other):
        each.catalog["btc_usdt.runs"] = SlowDataset(filepath=str(each.path))
    one.begin()
    with ThreadPoolExecutor() as pool:
        for made in (pool.submit(other.begin), pool.submit(one.end)):
            made.result()

    assert {(run.started, run.ended is None) for run in one.recorded} == {(NOW, False), (NOW + MINUTE, True)}


def test_a_log_that_stays_locked_is_written_all_the_same_within_seconds(runs: Runs) -> None:
    started = time.monotonic()
    with pair_lock(str(runs.path.parent), "runs"):
        runs.begin()

    assert runs.recorded
    assert time.monotonic() - started < 5


def test_a_success_after_two_missed_hours_reports_it(runs: Runs) -> None:
    for _ in range(2):
        runs.begin("tune_btc_usdt")
        runs.end()
        runs.now += 180 * MINUTE

    assert [run.missed for run in runs.recorded] == [0, 2]


@pytest.mark.parametrize(("hours_ago", "forecast"), [(0, True), (1, False), (None, False)])
def test_a_monitoring_records_whether_its_hour_has_a_forecast(
    runs: Runs, tmp_path: Path, hours_ago: int | None, forecast: bool
) -> None:
    issued_at = None if hours_ago is None else NOW.replace(minute=0) - timedelta(hours=hours_ago)
    write_live(tmp_path, NOW, issued_at=issued_at)
    runs.begin("monitor_btc_usdt")
    runs.end()

    (run,) = runs.recorded
    assert (run.ok, run.forecast) == (True, forecast)


def test_a_training_and_a_failed_monitoring_record_no_forecast(runs: Runs, tmp_path: Path) -> None:
    write_live(tmp_path, NOW)
    runs.begin()
    runs.end()
    runs.begin("monitor_btc_usdt")
    runs.end(LockedError("btc_usdt: another run holds it"))

    assert [run.forecast for run in runs.recorded] == [None, None]


def test_a_part_of_a_pipeline_is_not_recorded(runs: Runs) -> None:
    runs.begin(tags=["fetching"])
    runs.end()

    assert not runs.path.exists()


def test_a_log_that_cannot_be_written_stops_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    runs = Runs(tmp_path / "file")
    runs.begin()
    runs.end()
