"""The forecast of a pair."""

import re
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.types import Receive, Scope, Send

from serving.accounts.errors import usage_headers
from serving.accounts.gatekeeper import Admission, Gatekeeper
from serving.charging import TOKEN, USAGE_HEADERS, token_of
from serving.dependencies import configured
from serving.errors import NoForecastError, answers
from serving.schemas import Prediction
from serving.store.forecasts import Issued
from serving.store.stores import Stores

router = APIRouter(tags=["forecasts"])

_SYMBOL = re.compile("[A-Za-z0-9]{2,12}")


def _parameter(name: str, about: str, example: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": f"^{_SYMBOL.pattern}$"}
    return {"in": "query", "name": name, "required": True, "description": about, "schema": schema, "example": example}


_PARAMETERS = [
    _parameter("currency", "What is priced", "btc"),
    _parameter("compare", "What it is priced in", "usdt"),
]
_DOCUMENTED: dict[str, Any] = {
    "responses": {
        200: {"model": Prediction, "description": "The forecast", "headers": USAGE_HEADERS},
        **answers(401, 404, 422, 429, 503),
    },
    "openapi_extra": {**TOKEN, "parameters": _PARAMETERS},
}


async def predict(request: Request) -> Response:
    """Five days of candles, the next hour's close, and the distribution of the next 24; counted as one call."""
    return await _counted(request.scope)


async def _counted(scope: Scope) -> Response:
    state = scope["app"].state
    pair = configured(state.stores, _asked(scope["query_string"]))
    gatekeeper: Gatekeeper = state.accounts.gatekeeper
    # Before anything is told of the forecast: who may not call learns nothing but that.
    admission = await gatekeeper.admit(token_of(scope))
    try:
        return _Answer(current(state.stores, pair), admission)
    except Exception:
        # What cannot be answered costs nothing.
        await gatekeeper.refund(admission)
        raise


class _Answer(Response):
    """JSON that has been serialised already, in few steps: between request and answer there is little else."""

    def __init__(self, body: bytes, admission: Admission) -> None:
        self.status_code = 200
        self.body = body
        self.background = None
        self.raw_headers = [
            *_HEAD,
            (b"content-length", b"%d" % len(body)),
            (b"x-ratelimit-remaining", b"%d" % admission.remaining),
            *_plan(admission.limit, admission.reset_at),
        ]


_HEAD = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


@lru_cache(1024)
def _plan(limit: int, reset_at: datetime) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that stay the same from call to call."""
    named = usage_headers(limit, 0, reset_at)
    del named["X-RateLimit-Remaining"]
    return tuple((name.lower().encode(), value.encode()) for name, value in named.items())


class Direct:
    """ASGI: what ``predict`` answers, without what lies around other endpoints; its errors are answered further out."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await _counted(scope)
        await response(scope, receive, send)


# These describe it; the route that answers is made in serving/app.py.
router.put("/predict", operation_id="predict", **_DOCUMENTED)(predict)
router.get("/predict", operation_id="predict_by_get", **_DOCUMENTED)(predict)


@lru_cache(1024)
def _asked(query: bytes) -> str:
    """The pair that a query names.

    Raises:
        RequestValidationError: It names none.
    """
    given = dict(parse_qsl(query.decode("latin-1")))
    wrong = [
        {"loc": ("query", name), "msg": f"must be 2 to 12 letters or digits, such as {example}"}
        for name, example in (("currency", "btc"), ("compare", "usdt"))
        if not _SYMBOL.fullmatch(given.get(name, ""))
    ]
    if wrong:
        raise RequestValidationError(wrong)
    return f"{given['currency']}_{given['compare']}".lower()


def current(stores: Stores, pair: str) -> bytes:
    """The answer for a pair at this moment, from memory.

    Raises:
        NoForecastError: There is none, or every hour that it forecast is over.
    """
    issued, now = stores.forecasts.get(pair), stores.candles.now()
    if issued is None or issued.expired(now):
        raise _nothing(stores, pair, issued)
    reason = stores.forecasts.problem(pair) if issued.stale(now) else None
    return issued.body(now, reason)


def _nothing(stores: Stores, pair: str, issued: Issued | None) -> NoForecastError:
    why = stores.forecasts.problem(pair) or f"{pair}: no forecast has been made yet"
    expired = f"the forecast of {issued.forecast.issued_at:%Y-%m-%d %H:%M} UTC is over; " if issued else ""
    return NoForecastError(f"{expired}{why}", "try again in a minute", {"Retry-After": "60"})
