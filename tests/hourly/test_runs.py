from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from make_us_rich.domain.errors import ArtifactError
from make_us_rich.hourly.runs import Run, full_hour, missed_hours, read_runs, write_runs

MakeRun = Callable[..., Run]


def test_the_full_hour_is_that_of_utc(noon: datetime) -> None:
    india = timezone(timedelta(hours=5, minutes=30))

    assert full_hour((noon + timedelta(minutes=59)).astimezone(india)) == noon


@pytest.mark.parametrize(("hours", "missed"), [(-1, 0), (0, 0), (-2, 1), (-6, 5), (1, 0)])
def test_hours_between_the_last_success_and_this_one_were_missed(
    make_run: MakeRun, noon: datetime, hours: int, missed: int
) -> None:
    assert missed_hours([make_run(hours)], "btc_usdt", noon) == missed


def test_an_hour_that_only_failed_was_missed(make_run: MakeRun, noon: datetime) -> None:
    runs = [make_run(-3), make_run(-2, ok=False), make_run(-1, ok=False)]

    assert missed_hours(runs, "btc_usdt", noon) == 2


def test_another_pipelines_success_does_not_count(make_run: MakeRun, noon: datetime) -> None:
    runs = [make_run(-5), make_run(-1, pipeline="monitor_btc_usdt")]

    assert missed_hours(runs, "btc_usdt", noon) == 4


def test_before_the_first_success_nothing_was_missed(make_run: MakeRun, noon: datetime) -> None:
    assert missed_hours([make_run(-9, ok=False)], "btc_usdt", noon) == 0


def test_a_record_comes_back_as_it_was_written(make_run: MakeRun) -> None:
    runs = [make_run(-1, ok=False), make_run(0, missed=3)]

    assert read_runs(write_runs(runs, kept=200), "btc_usdt") == runs


def test_the_newest_runs_are_kept(make_run: MakeRun) -> None:
    runs = [make_run(hour) for hour in range(5)]

    assert read_runs(write_runs(runs, kept=2), "btc_usdt") == runs[3:]


def test_where_nothing_has_run_there_are_no_runs() -> None:
    assert read_runs({}, "btc_usdt") == []


def test_a_damaged_record_names_the_pair_and_the_remedy() -> None:
    with pytest.raises(ArtifactError, match=r"btc_usdt: the record of runs is damaged; delete runs\.json"):
        read_runs({"runs": [{"pair": 3}]}, "btc_usdt")


def test_a_line_has_start_end_seconds_exit_and_what_was_said(make_run: MakeRun) -> None:
    assert make_run(0, ok=False, missed=2, reason="no answer").line == (
        "2025-03-01 12:02:00 to 12:03:04 UTC btc_usdt failed, 64 s, exit 1, catches up 2 missed h: no answer"
    )
