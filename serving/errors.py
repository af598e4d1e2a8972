"""The one shape of an error, that of the Open Inference Protocol under its own paths, and every way to them."""

import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from make_us_rich.domain.errors import ArtifactError, LockedError, MakeUsRichError, StorageError, UnknownPairError
from serving.errors_base import ServingError
from serving.logs import request_id

log = logging.getLogger(__name__)

INFERENCE_PREFIX = "/v2"
"""Where the Open Inference Protocol is spoken."""


class ErrorDetail(BaseModel):
    """What was wrong."""

    code: str
    """For programs; never changes."""
    message: str
    """For people."""
    remedy: str | None = None
    """What to do about it."""
    request_id: str
    """Also in the log of the API, and in the header ``X-Request-ID``."""


class ErrorAnswer(BaseModel):
    """Every answer that is not what was asked for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": "unknown_pair",
                        "message": "doge_usdt is not served",
                        "remedy": "choose one of GET /api/v1/pairs",
                        "request_id": "8f2c51d0a7e94b1f",
                    }
                }
            ]
        }
    )

    error: ErrorDetail


class InferenceErrorAnswer(BaseModel):
    """The same under ``/v2``, where the protocol wants a text."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": "doge_usdt is not served; choose one of GET /api/v1/pairs",
                    "code": "unknown_pair",
                    "request_id": "8f2c51d0a7e94b1f",
                }
            ]
        }
    )

    error: str
    code: str
    request_id: str


class UnservedPairError(ServingError):
    """A pair that is not configured."""

    code = "unknown_pair"
    status = HTTPStatus.NOT_FOUND

    def __init__(self, pair: str) -> None:
        super().__init__(f"{pair} is not served", "choose one of GET /api/v1/pairs")


class NoModelError(ServingError):
    """A pair without a model that could be loaded."""

    code = "no_model"
    status = HTTPStatus.SERVICE_UNAVAILABLE


class NoForecastError(ServingError):
    """There is no forecast, or none any more."""

    code = "no_forecast"
    status = HTTPStatus.SERVICE_UNAVAILABLE


class TooManyStreamsError(ServingError):
    """As many streams as the process keeps."""

    code = "too_many_streams"
    status = HTTPStatus.SERVICE_UNAVAILABLE


class CannotRollBackError(ServingError):
    """A version that is not there, damaged, or not to be served."""

    code = "cannot_roll_back"
    status = HTTPStatus.CONFLICT


class BadTensorError(ServingError):
    """An inference request that does not fit the model."""

    code = "bad_tensor"
    status = HTTPStatus.BAD_REQUEST


_DOMAIN: tuple[tuple[type[MakeUsRichError], str, HTTPStatus], ...] = (
    (UnknownPairError, "unknown_pair", HTTPStatus.NOT_FOUND),
    (LockedError, "locked", HTTPStatus.CONFLICT),
    (StorageError, "store_unavailable", HTTPStatus.SERVICE_UNAVAILABLE),
    (ArtifactError, "no_model", HTTPStatus.SERVICE_UNAVAILABLE),
    (MakeUsRichError, "unavailable", HTTPStatus.SERVICE_UNAVAILABLE),
)


def status_of(exc: BaseException) -> int:
    """The HTTP status that an exception is answered with."""
    if isinstance(exc, ServingError):
        return int(exc.status)
    if isinstance(exc, HTTPException):
        return exc.status_code
    if isinstance(exc, RequestValidationError):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    return next((status for kind, _, status in _DOMAIN if isinstance(exc, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def error_body(code: str, message: str, remedy: str | None = None) -> dict[str, Any]:
    """The one shape."""
    detail = ErrorDetail(code=code, message=message, remedy=remedy, request_id=request_id.get())
    return ErrorAnswer(error=detail).model_dump(mode="json")


def inference_error_body(code: str, message: str, remedy: str | None = None) -> dict[str, Any]:
    """The shape of the Open Inference Protocol."""
    text = f"{message}; {remedy}" if remedy else message
    return InferenceErrorAnswer(error=text, code=code, request_id=request_id.get()).model_dump(mode="json")


def body_for(path: str) -> Callable[..., dict[str, Any]]:
    """The shape in which errors of this path are answered."""
    return inference_error_body if path.startswith(INFERENCE_PREFIX) else error_body


def install(app: FastAPI) -> None:
    """Answer every exception in the one shape; what nobody foresaw is answered by ``Observing``."""
    app.add_exception_handler(MakeUsRichError, _own)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _own(request: Request, exc: Exception) -> JSONResponse:
    shaped = body_for(request.scope["path"])
    if isinstance(exc, ServingError):
        return JSONResponse(shaped(exc.code, exc.message, exc.remedy), exc.status, exc.headers)
    code, status = next((code, status) for kind, code, status in _DOMAIN if isinstance(exc, kind))
    message, _, remedy = str(exc).partition("; ")
    return JSONResponse(shaped(code, message, remedy or None), status)


async def _invalid(request: Request, exc: Exception) -> JSONResponse:
    # Without the input: it may be a password.
    problems = exc.errors() if isinstance(exc, RequestValidationError) else []
    told = "; ".join(f"{'.'.join(map(str, each['loc'][1:])) or each['loc'][0]}: {each['msg']}" for each in problems)
    body = body_for(request.scope["path"])("invalid_request", told, "GET / documents every endpoint")
    return JSONResponse(body, HTTPStatus.UNPROCESSABLE_ENTITY)


async def _http(request: Request, exc: Exception) -> JSONResponse:
    status, headers = (exc.status_code, exc.headers) if isinstance(exc, HTTPException) else (500, None)
    known = HTTPStatus(status)
    body = body_for(request.scope["path"])(known.name.lower(), known.phrase, "GET / documents every endpoint")
    return JSONResponse(body, status, headers)


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: these statuses are answered in the one shape."""
    return _answers(ErrorAnswer, statuses)


def inference_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: these statuses are answered in the shape of the Open Inference Protocol."""
    return _answers(InferenceErrorAnswer, statuses)


def _answers(model: type[BaseModel], statuses: Iterable[int]) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": model, "description": HTTPStatus(status).phrase} for status in statuses}
