"""The crontab as the trainer container runs it."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from make_us_rich.domain.errors import ParameterError
from make_us_rich.hourly.clock import Line, beats, next_of, read_lines

REPO = Path(__file__).resolve().parents[2]
SHIPPED = (REPO / "trainer" / "crontab").read_text()


def at(hour: int, minute: int) -> datetime:
    return datetime(2025, 3, 1, hour, minute, tzinfo=UTC)


def test_the_shipped_crontab_calls_the_job_two_minutes_after_each_hour_and_thrice_more() -> None:
    (line,) = read_lines(SHIPPED)
    now, times = at(11, 50), []
    for _ in range(5):
        now, _line = next_of([line], now)
        times.append(now)

    assert times == [at(12, 2), at(12, 17), at(12, 32), at(12, 47), at(13, 2)]
    assert line.command == '"$MAKE_US_RICH_PROJECT"/trainer/hourly.sh'


def test_the_line_whose_time_comes_first_is_next() -> None:
    lines = [Line("0 * * * *", "a"), Line("30 * * * *", "b")]

    assert next_of(lines, at(12, 10)) == (at(12, 30), lines[1])
    assert next_of(lines, at(12, 40)) == (at(13, 0), lines[0])


def test_a_line_that_cron_would_not_understand_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"'61 \* \* \* \* true' has no times that cron understands"):
        read_lines("61 * * * * true")


def test_while_it_waits_it_gives_signs_of_life() -> None:
    now = at(12, 0)

    def clock() -> datetime:
        return now

    slept = []
    for seconds in beats(now + timedelta(seconds=70), clock):
        slept.append(seconds)
        now += timedelta(seconds=seconds)

    assert slept == [30, 30, 10]


def test_it_runs_at_its_start_and_ends_with_what_it_runs(tmp_path: Path) -> None:
    (tmp_path / "crontab").write_text("0 0 1 1 * echo $$ > started; exec sleep 600\n")
    clock = subprocess.Popen(
        [sys.executable, "-m", "make_us_rich.hourly.clock", "crontab"], cwd=tmp_path, env={**os.environ, "TZ": "UTC"}
    )
    started = tmp_path / "started"
    deadline = time.monotonic() + 60
    while not started.exists() or not started.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.02)

    clock.send_signal(signal.SIGTERM)

    assert clock.wait(timeout=60) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
