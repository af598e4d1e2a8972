"""Why an account may be refused something."""

from datetime import datetime
from http import HTTPStatus

from serving.errors_base import ServingError


class UnauthorizedError(ServingError):
    """No token, or one that is unknown, revoked or expired."""

    code = "unauthorized"
    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy, {"WWW-Authenticate": "Bearer"})


class WrongPasswordError(UnauthorizedError):
    """The name is known, the password is not its own."""

    code = "wrong_password"


class UnknownUserError(UnauthorizedError):
    """A login with a name that nobody has; an interface offers to register."""

    code = "unknown_user"


class ForbiddenError(ServingError):
    """A role is missing."""

    code = "forbidden"
    status = HTTPStatus.FORBIDDEN


class NotFoundError(ServingError):
    """No user or role of this name."""

    code = "not_found"
    status = HTTPStatus.NOT_FOUND


class NameTakenError(ServingError):
    """Somebody else has the name."""

    code = "name_taken"
    status = HTTPStatus.CONFLICT


class LastAdminError(ServingError):
    """The last admin would lose the role, and nobody could give it back."""

    code = "last_admin"
    status = HTTPStatus.CONFLICT


class InvalidAccountError(ServingError):
    """A name or password that does not meet the rules."""

    code = "invalid_account"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class TooManyAttemptsError(ServingError):
    """Too many logins or registrations from one address or for one name."""

    code = "too_many_attempts"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, seconds: int) -> None:
        super().__init__("too many attempts", f"try again in {seconds} s", {"Retry-After": str(seconds)})


class QuotaError(ServingError):
    """The month's calls are used up.

    Attributes:
        limit: Calls a month.
        reset_at: When the next month begins, UTC.
    """

    code = "quota_exceeded"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, limit: int, reset_at: datetime, now: datetime) -> None:
        super().__init__(
            f"the {limit} calls of this month are used",
            f"wait until {reset_at:%Y-%m-%d %H:%M} UTC, or ask an admin for a higher limit",
            usage_headers(limit, 0, reset_at) | {"Retry-After": str(max(1, round((reset_at - now).total_seconds())))},
        )
        self.limit = limit
        self.reset_at = reset_at


class UnavailableError(ServingError):
    """The database does not answer, or its tables are of another release."""

    code = "accounts_unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, message: str, remedy: str | None = "try again in a moment") -> None:
        super().__init__(message, remedy, {"Retry-After": "1"})


class UncertainError(UnavailableError):
    """The database went away while it was committing: what was asked for may have happened."""


class SchemaError(UnavailableError):
    """The tables are missing or of another release."""

    code = "accounts_schema"

    def __init__(self, found: str | None) -> None:
        super().__init__(
            f"the accounts database is at revision {found or 'none'}, not at the one that this release needs",
            "run python -m serving.accounts migrate",
        )


def usage_headers(limit: int, remaining: int, reset_at: datetime) -> dict[str, str]:
    """What every counted answer says about the quota; the reset in seconds since 1970."""
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(int(reset_at.timestamp())),
    }
