"""The job on a real catalog, with runs that end as a test says."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog

from make_us_rich.hourly.job import Job
from make_us_rich.hourly.logs import Logs
from make_us_rich.hourly.parameters import HourlyParameters
from make_us_rich.hourly.process import Ended
from make_us_rich.hourly.runs import Run, read_runs, write_runs
from make_us_rich.hourly.tasks import KINDS, Task

PAIRS = ["btc_usdt", "eth_usdt"]
MakeRun = Callable[..., Run]


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Site:
    """A job's surroundings: a store, logs, a clock, and what each pipeline's run comes to."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self.folder = folder
        self.clock = Clock(now + timedelta(minutes=2))
        self.minutes = 1
        self.results: dict[str, Ended] = {}
        self.catalog = DataCatalog.from_config(
            {
                "{pair}.runs": {
                    "type": "make_us_rich.datasets.stored.StoredJSONDataset",
                    "filepath": f"{folder}/store/{{pair}}/runs.json",
                }
            }
        )

    def run(self, task: Task) -> Ended:
        self.clock.now += timedelta(minutes=self.minutes)
        (self.folder / "logs" / "running.log").write_text(f"all that {task.pipeline} said\n")
        return self.results.get(task.pipeline, Ended(0, "published"))

    def work(self, **changes: Any) -> list[Run]:
        parameters = HourlyParameters(**{"run_minutes": 30, "tries": 2, "kept_runs": 200, "mlflow_days": 30, **changes})
        logs = Logs(self.folder / "logs")
        try:
            return Job(self.catalog, PAIRS, parameters, self.run, logs, self.clock).work(lambda run: None)
        finally:
            logs.close()

    def stored(self, pair: str) -> list[Run]:
        return read_runs(self.catalog.load(f"{pair}.runs"), pair)

    @property
    def log(self) -> str:
        return (self.folder / "logs" / "hourly.log").read_text()


@pytest.fixture
def new_site(tmp_path: Path, noon: datetime) -> Site:
    """Where nothing has run yet."""
    return Site(tmp_path, noon)


@pytest.fixture
def site(new_site: Site, make_run: MakeRun) -> Site:
    """Where each pair has a model of the hour before."""
    for pair in PAIRS:
        new_site.catalog.save(f"{pair}.runs", write_runs([make_run(-1, pair=pair, pipeline=pair)], 200))
    return new_site


def names(runs: list[Run]) -> list[str]:
    return [run.pipeline for run in runs]


def expected() -> list[str]:
    return [kind.format(pair=pair) for kind in KINDS for pair in PAIRS]


def test_every_pipeline_of_every_pair_runs_once_an_hour(site: Site) -> None:
    assert names(site.work()) == expected()
    assert site.work() == []

    site.clock.now += timedelta(hours=1)

    assert names(site.work()) == expected()


def test_a_new_pair_has_its_model_and_its_forecast_in_the_first_hour(new_site: Site) -> None:
    assert names(new_site.work()) == ["btc_usdt", "monitor_btc_usdt", "eth_usdt", "monitor_eth_usdt"]


def test_each_run_is_recorded_with_its_pair(site: Site) -> None:
    made = site.work()

    for pair in PAIRS:
        assert site.stored(pair)[1:] == [run for run in made if run.pair == pair]


def test_a_failure_leaves_the_other_pairs_alone_and_is_tried_again(site: Site) -> None:
    site.results["btc_usdt"] = Ended(1, "Binance does not answer")

    first = site.work()
    second = site.work()
    third = site.work()

    assert [run.pipeline for run in first if not run.ok] == ["btc_usdt"]
    assert names(first) == expected()
    assert names(second) == ["btc_usdt"]
    assert third == [], "two tries an hour are enough"


def test_missed_hours_are_made_up_for_by_one_run_that_says_so(site: Site, make_run: MakeRun) -> None:
    site.catalog.save("btc_usdt.runs", write_runs([make_run(-6)], 200))

    runs = [run for run in site.work() if run.pipeline == "btc_usdt"]

    assert [run.missed for run in runs] == [5]
    assert "btc_usdt ok, 60 s, exit 0, catches up 5 missed h: published" in site.log


def test_when_the_hour_changes_at_work_its_forecasts_come_before_the_next_model(site: Site, noon: datetime) -> None:
    site.minutes = 20

    done = [(run.pipeline, run.hour.hour) for run in site.work()]

    # 12:02 and 12:22 forecasts, 12:42 a model until 13:02; then the new hour's forecasts, and the other model.
    assert done == [
        ("monitor_btc_usdt", 12),
        ("monitor_eth_usdt", 12),
        ("btc_usdt", 12),
        ("monitor_btc_usdt", 13),
        ("monitor_eth_usdt", 13),
        ("eth_usdt", 13),
        ("monitor_btc_usdt", 14),
        ("monitor_eth_usdt", 14),
    ]


def test_a_job_that_takes_longer_than_an_hour_ends_and_the_next_one_goes_on(site: Site, noon: datetime) -> None:
    site.minutes = 25

    first, second = ([run for run in site.work() if run.pipeline in PAIRS] for _ in range(2))

    assert names(first) == PAIRS
    assert names(second) == PAIRS
    assert second[0].hour > first[0].hour


def test_a_damaged_record_is_told_and_begun_anew(new_site: Site) -> None:
    folder = new_site.folder / "store" / "btc_usdt"
    folder.mkdir(parents=True)
    (folder / "runs.json").write_text('{"runs": [{}]}')

    assert sorted(names(new_site.work())) == sorted(expected())

    assert "btc_usdt: the record of runs was not reached" in new_site.log
    assert new_site.stored("btc_usdt")


def test_a_record_that_cannot_be_written_is_told_and_stops_nothing(new_site: Site) -> None:
    (new_site.folder / "store").write_text("a file where a folder should be")

    assert sorted(names(new_site.work())) == sorted(expected())

    assert "a file is where a folder should be" in new_site.log or "a part of the path is a file" in new_site.log


def test_all_that_runs_said_is_kept_below_their_lines(site: Site) -> None:
    (run, *_) = site.work()

    output = (site.folder / "logs" / "output.log").read_text()

    assert f"==== {run.line}\nall that {run.pipeline} said\n" in output
    assert not (site.folder / "logs" / "running.log").exists()


def test_the_logs_do_not_grow_for_ever(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    for _ in range(80):
        logs.running.write_text("x" * 1_000_000)
        logs.keep_output("a run")
    logs.close()

    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 4 * 5_000_000 + 1_000_000
