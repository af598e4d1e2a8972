"""Hours without a forecast: each once, each with its reason, and those that nobody explains say so."""

from datetime import datetime, timedelta

import pandas as pd
import pytest

from live_records import HOUR, START
from make_us_rich.domain.attempt import Attempt
from make_us_rich.live.holes import DTYPES, UNEXPLAINED, Hole, Log, update_holes

MINUTE = timedelta(minutes=1)
NONE = pd.DataFrame()


def attempt(at: datetime, minutes: float | None = 1, error: str | None = None) -> Attempt:
    return Attempt(began=at + 2 * MINUTE, ended=None if minutes is None else at + (2 + minutes) * MINUTE, error=error)


def holes(
    *attempts: Attempt, ahead: timedelta = timedelta(), found: Hole | None = None, hours: int = 2
) -> pd.DataFrame:
    """Those that are found after a forecast at the start and another one hours later."""
    now = START + hours * HOUR
    issued = [START] if found else [START, now]
    return update_holes(NONE, issued, found, Log(attempts, ahead), now + 2 * MINUTE)


def test_no_hour_is_missing_while_every_one_has_a_forecast() -> None:
    assert holes(hours=1).empty


def test_an_hour_in_which_nothing_ran_says_so() -> None:
    (hole,) = holes().to_dict("records")

    assert (hole["hour"], hole["kind"]) == (pd.Timestamp(START + HOUR), "no_run")
    assert "the machine, its schedule or the store was down" in hole["reason"]


@pytest.mark.parametrize(
    ("made", "kind", "words"),
    [
        (
            attempt(START + HOUR, error="Binance cannot be reached"),
            "failed",
            "the run failed: Binance cannot be reached",
        ),
        (attempt(START + HOUR, minutes=None), "killed", "the run was killed"),
        (attempt(START + HOUR, minutes=70), "slow", "was not done when the hour was over"),
        (attempt(START + HOUR), UNEXPLAINED, "neither a forecast nor a reason"),
    ],
)
def test_what_the_run_of_the_hour_came_to_explains_it(made: Attempt, kind: str, words: str) -> None:
    (hole,) = holes(made).to_dict("records")

    assert hole["kind"] == kind
    assert words in hole["reason"]


def test_the_last_error_of_the_hour_is_told() -> None:
    first, second = attempt(START + HOUR, error="first"), attempt(START + HOUR + 9 * MINUTE, error="second")

    assert holes(first, second)["reason"].tolist() == ["the run failed: second"]


def test_attempts_are_noted_by_the_machines_clock_and_the_exchange_may_live_in_the_past() -> None:
    ahead = timedelta(days=-300)

    assert holes(attempt(START + HOUR - ahead, error="down"), ahead=ahead)["kind"].tolist() == ["failed"]


def test_the_hour_that_is_running_is_told_by_its_own_run_alone() -> None:
    now = START + HOUR + 5 * MINUTE
    told = update_holes(NONE, [START], None, Log(()), now)
    assert told.empty

    found = Hole(START + HOUR, "stale", "the newest candle closed at 00:00")
    assert update_holes(NONE, [START], found, Log(()), now)["kind"].tolist() == ["stale"]


def test_a_second_run_of_the_same_hour_adds_nothing() -> None:
    found = Hole(START + HOUR, "stale", "no candle yet")
    now = START + HOUR + 5 * MINUTE
    first = update_holes(NONE, [START], found, Log(()), now)

    assert update_holes(first, [START], found, Log(()), now + MINUTE).equals(first)


def test_a_hole_is_closed_where_a_later_run_of_the_same_hour_issues() -> None:
    found = Hole(START + HOUR, "stale", "no candle yet")
    first = update_holes(NONE, [START], found, Log(()), START + HOUR)

    assert update_holes(first, [START, START + HOUR], None, Log(()), START + HOUR).empty


def test_a_first_run_that_cannot_issue_is_a_hole_and_the_hours_after_it_are_counted() -> None:
    first = update_holes(NONE, [], Hole(START, "no_model", "no model"), Log(()), START + MINUTE)
    later = update_holes(first, [START + 3 * HOUR], None, Log(()), START + 3 * HOUR)

    assert later["kind"].tolist() == ["no_model", "no_run", "no_run"]


def test_holes_survive_their_file(tmp_path) -> None:
    made = holes()
    made.to_parquet(tmp_path / "holes.parquet")

    assert {name: str(kind) for name, kind in made.dtypes.items()} == DTYPES
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "holes.parquet"), made)
