"""Why the API did not answer what it was asked; the pages put each into words in ``states``."""

from datetime import UTC, datetime

from make_us_rich.domain.errors import MakeUsRichError


class ApiError(MakeUsRichError):
    """No answer, or another than the one that was asked for.

    Attributes:
        message: What is wrong, as the API says it.
        remedy: What to do about it, as the API says it.
        code: The API's code; empty where there was no answer.
        request_id: To be found in the API's log; empty where there was no answer.
    """

    def __init__(self, message: str, remedy: str = "", code: str = "", request_id: str = "") -> None:
        super().__init__(f"{message}; {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy
        self.code = code
        self.request_id = request_id


class UnreachableError(ApiError):
    """Nothing listens there."""


class TooSlowError(ApiError):
    """No answer in time."""


class UnauthorizedError(ApiError):
    """401: no login, or one that is over; at log-in, a name that nobody has or a wrong password."""


class ForbiddenError(ApiError):
    """403: the role is missing."""


class NotFoundError(ApiError):
    """404: no such pair, user or page."""


class LimitedError(ApiError):
    """429: the month's calls are used, or too many attempts.

    Attributes:
        reset_at: From when on it can be tried again, UTC; none where the API does not say.
        limit: Calls a month, where it is about these.
    """

    reset_at: datetime | None = None
    limit: int | None = None

    @property
    def is_quota(self) -> bool:
        """Whether it is about the month's calls."""
        return self.code == "quota_exceeded"


class UnavailableError(ApiError):
    """503: the API is there, and what it needs for this answer is not."""

    @property
    def is_no_model(self) -> bool:
        """Whether the pair has no model, or no forecast yet."""
        return self.code in {"no_model", "no_forecast"}


class RefusedError(ApiError):
    """400, 409, 413 or 422: the API does not take what was typed."""


class BrokenError(ApiError):
    """Any other answer, among them one that this release does not understand."""


BY_STATUS: dict[int, type[ApiError]] = {
    400: RefusedError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: RefusedError,
    413: RefusedError,
    422: RefusedError,
    429: LimitedError,
    503: UnavailableError,
}


def moment(seconds: str | None) -> datetime | None:
    """A time from seconds since 1970, as a header has it."""
    return datetime.fromtimestamp(int(seconds), UTC) if seconds and seconds.isdecimal() else None
