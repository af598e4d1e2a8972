"""Errors of the API: their codes, their HTTP status, and the problem details (RFC 9457) that report them.

The Open Inference Protocol has an error format of its own: the paths under ``/v2`` answer ``{"error", "code",
"request_id"}``.
"""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import Scope

from make_us_rich.client.schemas import Problem
from make_us_rich.domain.errors import (
    ArtifactError,
    LockedError,
    MakeUsRichError,
    ParameterError,
    StorageError,
    UnknownPairError,
)
from serving.logs import request_id

MEDIA_TYPE = "application/problem+json"
INFERENCE_PREFIX = "/v2"
"""Prefix of the Open Inference Protocol."""
MAX_PROBLEMS = 10
"""Problems of an invalid request that its error names."""

STATUS = {
    "bad_tensor": 400,
    "unauthorized": 401,
    "unknown_user": 401,
    "wrong_password": 401,
    "forbidden": 403,
    "not_found": 404,
    "unknown_pair": 404,
    "alerts_off": 409,
    "cannot_roll_back": 409,
    "last_admin": 409,
    "locked": 409,
    "name_taken": 409,
    "too_many_alerts": 409,
    "invalid_account": 422,
    "invalid_request": 422,
    "quota_exceeded": 429,
    "too_many_attempts": 429,
    "internal_error": 500,
    "accounts_schema": 503,
    "accounts_unavailable": 503,
    "no_forecast": 503,
    "no_model": 503,
    "store_unavailable": 503,
    "too_many_streams": 503,
    "unavailable": 503,
}
"""HTTP status by error code; other codes are the names of statuses, such as ``method_not_allowed``."""

_PHRASES = {413: "Request Entity Too Large", 422: "Unprocessable Entity"}
"""Python 3.13 has others for these statuses."""

_DOMAIN = (
    (UnknownPairError, "unknown_pair"),
    (ParameterError, "invalid_request"),
    (LockedError, "locked"),
    (StorageError, "store_unavailable"),
    (ArtifactError, "no_model"),
    (MakeUsRichError, "unavailable"),
)
_DOCUMENTATION = "GET / documents every endpoint"


class ServingError(MakeUsRichError):
    """An error with a code of ``STATUS``, and with headers of its response."""

    def __init__(
        self, code: str, message: str, remedy: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, remedy)
        self.code = code
        self.status = STATUS.get(code) or HTTPStatus[code.upper()].value
        self.headers = dict(headers or {})


class UnauthorizedError(ServingError):
    """The token is missing, unknown, revoked or expired, or the login failed."""

    def __init__(
        self,
        message: str = "the token is unknown, revoked or expired",
        remedy: str = "log in again, and rotate the API token if you need a new one",
        code: str = "unauthorized",
    ) -> None:
        super().__init__(code, message, remedy, {"WWW-Authenticate": "Bearer"})


class QuotaError(ServingError):
    """The calls of the month are used up."""

    def __init__(self, limit: int, reset_at: datetime, now: datetime) -> None:
        remedy = f"wait until {reset_at:%Y-%m-%d %H:%M} UTC, or ask an admin for a higher limit"
        retry_after = str(max(1, round((reset_at - now).total_seconds())))
        headers = quota_headers(limit, 0, reset_at, now) | {"Retry-After": retry_after}
        super().__init__("quota_exceeded", f"the {limit} calls of this month are used up", remedy, headers)


class UnavailableError(ServingError):
    """The accounts database does not answer, or the process is overloaded."""

    def __init__(self, message: str, remedy: str = "try again in a moment", code: str = "accounts_unavailable") -> None:
        super().__init__(code, message, remedy, {"Retry-After": "1"})


class UncertainError(UnavailableError):
    """The database failed while it committed: the change may have been made."""


class InferenceErrorResponse(BaseModel):
    """The body of errors under `/v2`."""

    error: str
    code: str
    request_id: str


def quota_headers(limit: int, remaining: int, reset_at: datetime, now: datetime) -> dict[str, str]:
    """The headers of a counted response.

    ``RateLimit`` and ``RateLimit-Policy`` are those of the IETF's draft ``httpapi-ratelimit-headers``, with the seconds
    until the reset; ``X-RateLimit-Reset`` has it in seconds since 1970.
    """
    return {
        "RateLimit-Policy": f'"month";q={limit}',
        "RateLimit": f'"month";r={remaining};t={max(0, int((reset_at - now).total_seconds()))}',
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(int(reset_at.timestamp())),
    }


def to_serving_error(exc: BaseException) -> ServingError:
    """Any exception as the error that is reported."""
    if isinstance(exc, ServingError):
        return exc
    if isinstance(exc, RequestValidationError):
        # Without the input, which may be a password.
        first = exc.errors()[:MAX_PROBLEMS]
        problems = [f"{'.'.join(map(str, each['loc'][1:])) or each['loc'][0]}: {each['msg']}" for each in first]
        return ServingError("invalid_request", "; ".join(problems), _DOCUMENTATION)
    if isinstance(exc, HTTPException):
        phrase = _phrase(exc.status_code)
        return ServingError(phrase.lower().replace(" ", "_"), phrase, _DOCUMENTATION, exc.headers)
    if isinstance(exc, MakeUsRichError):
        code = next(code for kind, code in _DOMAIN if isinstance(exc, kind))
        return ServingError(code, exc.message, exc.remedy)
    return ServingError("internal_error", "an unexpected error occurred", "report the request id to the operator")


def _phrase(status: int) -> str:
    return _PHRASES.get(status) or HTTPStatus(status).phrase


def problem_of(scope: Scope, error: ServingError) -> Problem:
    """The problem details of a request's error."""
    return Problem(
        type=f"urn:problem-type:make-us-rich:{error.code}",
        title=error.code.replace("_", " ").capitalize(),
        status=error.status,
        detail=error.message,
        instance=quote(scope["path"]),
        code=error.code,
        remedy=error.remedy,
        request_id=request_id.get(),
    )


def error_response(scope: Scope, exc: BaseException) -> JSONResponse:
    """The response to an exception, in the shape of the request's path."""
    error = to_serving_error(exc)
    if path_of(scope).startswith(INFERENCE_PREFIX):
        body = InferenceErrorResponse(error=str(error), code=error.code, request_id=request_id.get())
        return JSONResponse(body.model_dump(), error.status, error.headers)
    return JSONResponse(problem_of(scope, error).model_dump(), error.status, error.headers, MEDIA_TYPE)


def path_of(scope: Scope) -> str:
    """The path of a request without the prefix of a reverse proxy."""
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path


def add_error_handlers(app: FastAPI) -> None:
    """Report and describe all expected errors; ``RequestObserver`` reports the unexpected ones."""
    describe = app.openapi

    async def respond(request: Request, exc: Exception) -> JSONResponse:
        return error_response(request.scope, exc)

    for kind in (MakeUsRichError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, respond)

    def openapi() -> dict[str, Any]:
        document = describe()
        operations = (each for methods in document["paths"].values() for each in methods.values())
        for response in (each for operation in operations for each in operation["responses"].values()):
            content = response.get("content", {})
            # FastAPI describes every model as JSON.
            if content.get("application/json", {}).get("schema") == {"$ref": "#/components/schemas/Problem"}:
                content[MEDIA_TYPE] = content.pop("application/json")
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # As FastAPI's documentation has it.


def answers(*statuses: int, model: type[BaseModel] = Problem) -> dict[int | str, dict[str, Any]]:
    """OpenAPI: the error responses of an endpoint."""
    return {status: {"model": model, "description": _phrase(status)} for status in statuses}
