from datetime import UTC, datetime, timedelta

import pytest

from make_us_rich.domain.errors import ParameterError
from make_us_rich.replay import Clock

START = datetime(2025, 3, 1, 12, tzinfo=UTC)


class Stopwatch:
    def __init__(self) -> None:
        self.seconds = 50.0

    def __call__(self) -> float:
        return self.seconds


def test_clock_begins_at_its_start():
    assert Clock(START, real=Stopwatch()).now() == START


@pytest.mark.parametrize(("speed", "expected"), [(1, 2), (3600, 7200), (0, 0), (0.5, 1)])
def test_two_real_seconds_are_two_times_the_speed(speed, expected):
    real = Stopwatch()
    clock = Clock(START, speed, real)
    real.seconds += 2
    assert clock.now() - START == timedelta(seconds=expected)


def test_jump_travels_and_time_runs_on_from_there():
    real = Stopwatch()
    clock = Clock(START, 10, real)
    real.seconds += 5
    clock.jump(datetime(2020, 1, 1, tzinfo=UTC))
    real.seconds += 1
    assert clock.now() == datetime(2020, 1, 1, 0, 0, 10, tzinfo=UTC)


def test_advance_adds_a_span():
    clock = Clock(START, 0)
    clock.advance(timedelta(hours=3))
    assert clock.now() == START + timedelta(hours=3)


def test_start_without_time_zone_is_refused():
    with pytest.raises(ParameterError, match=r"no time zone; write it as 2025-03-01T12:00:00\+00:00"):
        Clock(datetime(2025, 3, 1, 12))  # noqa: DTZ001


@pytest.mark.parametrize("speed", [-1, float("nan"), float("inf")])
def test_impossible_speed_is_refused(speed):
    with pytest.raises(ParameterError, match=r"speed .* is out of range; give a number from 0"):
        Clock(START, speed)
