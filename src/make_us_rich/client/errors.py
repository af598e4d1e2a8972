"""Errors of the API's clients: a response that reports one, or no response."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from make_us_rich.client.schemas import Problem
from make_us_rich.domain.errors import MakeUsRichError

if TYPE_CHECKING:
    import httpx


class ApiError(MakeUsRichError):
    """An error response, one that cannot be parsed, or none.

    Attributes:
        code: The API's; ``unreachable`` or ``timeout`` where it did not respond.
        status: HTTP status; None without a response.
        request_id: The API's; empty without a response.
        reset_at: When to try again, UTC; None where the API does not say.
        limit: Calls a month, where they are used up.
    """

    def __init__(
        self, message: str, remedy: str | None = None, code: str = "", status: int | None = None, request_id: str = ""
    ) -> None:
        super().__init__(message, remedy)
        self.code, self.status, self.request_id = code, status, request_id
        self.reset_at: datetime | None = None
        self.limit: int | None = None


class UnauthorizedError(ApiError):
    """401: no token, an expired or unknown one, or wrong credentials."""


class UnknownPairError(ApiError):
    """404: the pair is misspelt or not served."""


class InvalidRequestError(ApiError):
    """422: an argument is out of range."""


class UnavailableError(ApiError):
    """No response, 429, 502, 503 or 504: the same call may succeed later."""


class QuotaExceededError(UnavailableError):
    """429: the calls of the month are used up until ``reset_at``."""


TRANSIENT = frozenset({502, 503, 504})
"""Statuses of a server that may answer in a moment."""

_KINDS: dict[str | int, type[ApiError]] = {
    "quota_exceeded": QuotaExceededError,
    "unknown_pair": UnknownPairError,
    401: UnauthorizedError,
    422: InvalidRequestError,
    429: UnavailableError,
    **dict.fromkeys(TRANSIENT, UnavailableError),
}


def unanswered(failure: httpx.RequestError) -> UnavailableError:
    """The error of a request that had no response."""
    import httpx  # The API reads the schemas of this package, and httpx would make its start longer.

    if isinstance(failure, httpx.TimeoutException):
        return UnavailableError("the API did not respond in time", "try again", "timeout")
    url = failure.request.url
    message = f"no API answers at {url.scheme}://{url.netloc.decode()}"
    return UnavailableError(message, "start it, or correct the address", "unreachable")


def error_of(response: httpx.Response) -> ApiError:
    """The error that a response reports."""
    status, headers = response.status_code, response.headers
    kind = _KINDS.get(status, ApiError)
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        error = kind(f"the API responds with status {status}", status=status)
    else:
        kind = _KINDS.get(problem.code, kind)
        error = kind(problem.detail, problem.remedy, problem.code, status, problem.request_id)
    limit, reset = headers.get("x-ratelimit-limit", ""), headers.get("x-ratelimit-reset", "")
    # A gateway's headers of these names have other units, such as seconds from now.
    if isinstance(error, QuotaExceededError) and limit.isdecimal() and reset.isdecimal():
        error.limit, error.reset_at = int(limit), _moment(float(reset))
    elif (seconds := retry_after(response)) is not None:
        error.reset_at = _moment(time.time() + seconds)
    return error


def _moment(timestamp: float) -> datetime | None:
    """A time in seconds since 1970, UTC; None beyond the calendar."""
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (OSError, OverflowError, ValueError):
        return None


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that a response asks to wait, as seconds or as a date (RFC 9110); None where it does not."""
    value = response.headers.get("retry-after", "")
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
