"""Runs of the monitoring are noted, however they end."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from make_us_rich.datasets.stored import StoredJSONDataset
from make_us_rich.domain.attempt import KEPT, Attempt, attempts_record, read_attempts
from make_us_rich.domain.errors import ArtifactError, DataError, LockedError
from make_us_rich.hooks.attempts import AttemptHooks, monitored

NOW = datetime(2025, 3, 1, 10, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def pipeline_of(stage: str, *pairs: str) -> Pipeline:
    flow = Pipeline([Node(lambda x: x, "klines", "seen", name="look")])
    return sum((Pipeline(flow, namespace=f"{pair}.{stage}") for pair in pairs), Pipeline([]))


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Refuses:
    """A hook that refuses every run."""

    from kedro.framework.hooks import hook_impl

    @hook_impl
    def before_pipeline_run(self) -> None:
        raise LockedError("btc_usdt: another run holds it; wait for it to end")


class Runs:
    """Kedro's order of hooks around a run."""

    def __init__(self, folder: Path, *others: object) -> None:
        self.clock = Clock()
        self.path = folder / "attempts.json"
        self.catalog = DataCatalog({"btc_usdt.attempts": StoredJSONDataset(filepath=str(self.path))})
        manager = _create_hook_manager()
        for each in (*others, AttemptHooks(self.clock)):
            manager.register(each)
        self.hook = manager.hook

    def begin(self, pipeline: Pipeline | None = None) -> None:
        self.pipeline = pipeline or pipeline_of("monitoring", "btc_usdt")
        self.hook.before_pipeline_run(run_params={}, pipeline=self.pipeline, catalog=self.catalog)

    def end(self, error: Exception | None = None) -> None:
        told: dict[str, Any] = {"run_params": {}, "pipeline": self.pipeline, "catalog": self.catalog}
        if error is None:
            self.hook.after_pipeline_run(run_result={}, **told)
        else:
            self.hook.on_pipeline_error(error=error, **told)

    @property
    def noted(self) -> tuple[Attempt, ...]:
        return read_attempts(self.catalog.load("btc_usdt.attempts"), "btc_usdt")


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_the_beginning_is_noted_before_anything_runs(runs: Runs) -> None:
    runs.begin()

    assert runs.noted == (Attempt(began=NOW),)
    assert not runs.noted[0].succeeded


def test_a_run_that_ends_well_has_an_end_and_no_error(runs: Runs) -> None:
    runs.begin()
    runs.clock.now += MINUTE
    runs.end()

    assert runs.noted == (Attempt(began=NOW, ended=NOW + MINUTE),)
    assert runs.noted[0].succeeded


def test_a_run_that_fails_is_noted_with_its_error_in_a_line(runs: Runs) -> None:
    runs.begin()
    runs.end(DataError("btc_usdt: too few\ncandles"))

    assert runs.noted == (Attempt(began=NOW, ended=NOW, error="btc_usdt: too few candles"),)


def test_an_error_that_nobody_foresaw_is_noted_by_its_name(runs: Runs) -> None:
    runs.begin()
    runs.end(ZeroDivisionError("division by zero"))

    assert runs.noted[0].error == "ZeroDivisionError: division by zero"


def test_a_run_that_another_hook_refuses_is_noted_as_well(tmp_path: Path) -> None:
    runs = Runs(tmp_path, Refuses())
    with pytest.raises(LockedError):
        runs.begin()

    assert runs.noted[0].error == "btc_usdt: another run holds it; wait for it to end"


def test_the_next_run_is_added_after_it(runs: Runs) -> None:
    for _ in range(3):
        runs.begin()
        runs.end()
        runs.clock.now += MINUTE

    assert [each.began for each in runs.noted] == [NOW, NOW + MINUTE, NOW + 2 * MINUTE]


def test_other_pipelines_are_not_noted(runs: Runs) -> None:
    runs.begin(pipeline_of("training", "btc_usdt"))
    runs.end()

    assert not runs.path.exists()


def test_a_note_that_cannot_be_written_stops_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    runs = Runs(tmp_path / "file")
    runs.begin()
    runs.end()


def test_a_pipeline_of_many_pairs_is_noted_for_each() -> None:
    both = pipeline_of("monitoring", "btc_usdt", "eth_usdt") + pipeline_of("training", "chz_usdt")

    assert monitored(both) == ["btc_usdt", "eth_usdt"]


def test_only_the_newest_are_remembered() -> None:
    many = tuple(Attempt(began=NOW + at * MINUTE) for at in range(KEPT + 5))

    assert read_attempts(attempts_record(many), "btc_usdt") == many[-KEPT:]


def test_a_damaged_record_says_what_to_delete() -> None:
    with pytest.raises(ArtifactError, match=r"btc_usdt: the record of its runs is damaged; delete its attempts\.json"):
        read_attempts({"attempts": [{"began": "yesterday"}]}, "btc_usdt")
