"""What is wrong, in plain words, with a remedy, for every error of the API."""

from datetime import UTC, datetime

import pytest

from interface import api_errors as errors
from interface import states


def limited(code: str) -> errors.LimitedError:
    error = errors.LimitedError("the 1000 calls of this month are used", "wait", code)
    error.reset_at, error.limit = datetime(2026, 2, 1, tzinfo=UTC), 1000
    return error


EVERY = [
    errors.UnreachableError("no API answers at http://127.0.0.1:8000"),
    errors.TooSlowError("the API does not answer in time"),
    errors.UnauthorizedError("the token is unknown, revoked or expired"),
    errors.UnauthorizedError("the password is wrong", "check how it is written", "wrong_password"),
    errors.ForbiddenError("only an admin may do this"),
    errors.NotFoundError("doge_usdt is not served", "choose one of GET /api/v1/pairs"),
    limited("quota_exceeded"),
    limited("too_many_attempts"),
    errors.UnavailableError("btc_usdt: no forecast has been made yet", "try again", "no_forecast"),
    errors.UnavailableError("the accounts database does not answer", "try again", "accounts_unavailable"),
    errors.RefusedError("the name is taken", "choose another, or log in", "name_taken"),
    errors.BrokenError("the API answers 500"),
]


@pytest.mark.parametrize("error", EVERY, ids=lambda error: f"{type(error).__name__}-{error.code}")
def test_every_error_has_a_title_a_text_and_a_remedy(error: errors.ApiError) -> None:
    state = states.of_error(error)

    assert all((state.title, state.text, state.remedy))


def test_no_two_errors_have_the_same_title() -> None:
    titles = [states.of_error(error).title for error in EVERY]

    assert len(set(titles)) == len(titles)


def test_used_up_calls_say_how_many_and_when_they_begin_anew() -> None:
    state = states.of_error(limited("quota_exceeded"))

    assert "All 1,000 calls" in state.text
    assert "on 01 February at 00:00 UTC" in state.remedy


@pytest.mark.parametrize("error", EVERY[:2] + EVERY[8:10])
def test_what_may_pass_is_tried_again(error: errors.ApiError) -> None:
    assert states.of_error(error).may_pass


@pytest.mark.parametrize("error", EVERY[2:8] + EVERY[10:])
def test_what_somebody_has_to_mend_is_not_tried_again(error: errors.ApiError) -> None:
    assert not states.of_error(error).may_pass


def test_the_number_in_the_log_is_shown() -> None:
    error = errors.BrokenError("the API answers 500", request_id="8f2c51d000000001")

    assert states.of_error(error).detail == "Request 8f2c51d000000001"
