"""The forecast of a pair, its past forecasts, and new ones as server-sent events."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, ValidationError

from make_us_rich.client.schemas import PastForecasts, Prediction
from serving.accounts.tokens import Owner
from serving.dependencies import (
    QUOTA_HEADERS,
    TOKEN_SECURITY,
    ForecastsDep,
    ModelDep,
    PairDep,
    counted_call,
    require_pair,
    require_token,
)
from serving.errors import ServingError, answers, problem_of
from serving.forecasts.history import Span
from serving.forecasts.service import ForecastService
from serving.tables import CONTENT, Format, file_response

router = APIRouter(tags=["forecasts"])

LINK_HEADER: dict[str, Any] = {"Link": {"description": "The next page of a span", "schema": {"type": "string"}}}


class PredictQuery(BaseModel):
    """The pair of a forecast, validated in the endpoint, which takes less time than FastAPI's own (docs/adr/0028)."""

    currency: str = Field(min_length=1, max_length=32, description="What is priced", examples=["btc"])
    compare: str = Field(min_length=1, max_length=32, description="What it is priced in", examples=["usdt"])


_OPENAPI: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        200: {"model": Prediction, "description": "The forecast", "headers": QUOTA_HEADERS},
        **answers(401, 404, 422, 429, 503),
    },
    "openapi_extra": {
        **TOKEN_SECURITY,
        "parameters": [
            {"in": "query", "name": name, "required": True, "description": schema["description"], "schema": schema}
            for name, schema in PredictQuery.model_json_schema()["properties"].items()
        ],
    },
}


# Decorators apply from the bottom: PUT is matched first.
@router.get("/predict", summary="Forecast a pair (by GET)", operation_id="predict_by_get", **_OPENAPI)
@router.put("/predict", summary="Forecast a pair", operation_id="predict", **_OPENAPI)
async def predict(request: Request) -> Response:
    """The last five days of candles, the next hour's close, and the distribution of the next 24 closes.

    It is counted as one call.
    """
    try:
        query = PredictQuery.model_validate(dict(request.query_params))
    except ValidationError as exc:
        problems = [{**problem, "loc": ("query", *problem["loc"])} for problem in exc.errors()]
        raise RequestValidationError(problems) from exc
    service: ForecastService = request.app.state.forecasts
    pair = require_pair(service, f"{query.currency}_{query.compare}")
    async with counted_call(request) as grant:
        body = service.body(pair)
    return Response(body, headers={"Cache-Control": "no-store", **grant.headers()}, media_type="application/json")


class SpanQuery(Span):
    """A span in a format."""

    form: Format = "json"


@router.get(
    "/forecasts/{pair}",
    summary="List the past forecasts of a pair",
    response_model=PastForecasts,
    responses={
        200: {"content": CONTENT, "headers": QUOTA_HEADERS | LINK_HEADER},
        **answers(401, 404, 422, 429, 503),
    },
    openapi_extra={"security": [{}, *TOKEN_SECURITY["security"]]},
)
async def list_past_forecasts(
    request: Request,
    response: Response,
    pair: PairDep,
    model: ModelDep,
    service: ForecastsDep,
    span: Annotated[SpanQuery, Query()],
) -> PastForecasts | Response:
    """The forecasts of one week at one horizon with their outcomes; `source` says where they come from.

    With `start`, `end` or another format, those recorded from `start` on and before `end`, oldest first, counted as
    one call. The header `Link` leads to the next page.
    """
    start, end, form, history = span.start, span.end, span.form, service.history
    if start is None and end is None and form == "json":
        found = await asyncio.to_thread(history.at, pair, span.horizon or 1)
        if found is None:
            problem = service.problem(pair) or f"{pair}: there are no candles yet"
            raise ServingError("no_forecast", problem, "try again in a minute")
        return found
    if start and end and start >= end:
        message = f"start, {start.isoformat()}, is not before end, {end.isoformat()}"
        raise ServingError("invalid_request", message, "swap them, or leave one out")
    async with counted_call(request, response) as grant:
        if form == "json":
            found = await asyncio.to_thread(history.recorded, pair, span, model.manifest.version)
            response.headers.update(_link(request, found.next_start))
            return found
        table, next_start = await asyncio.to_thread(history.cut, pair, span)
        headers = grant.headers() | _link(request, next_start)
        return await asyncio.to_thread(file_response, table, form, headers)


def _link(request: Request, next_start: datetime | None) -> dict[str, str]:
    if next_start is None:
        return {}
    return {"Link": f'<?{request.url.include_query_params(start=next_start.isoformat()).query}>; rel="next"'}


class Broadcaster:
    """Wakes the open streams; belongs to one event loop, but ``publish`` may be called from any thread."""

    def __init__(self) -> None:
        self.closing = False
        """The process is about to end, so streams must end too."""
        self.subscribers: Counter[int] = Counter()
        """Open streams by user."""
        self.published = asyncio.Event()
        """Set at the next new forecast, then replaced; get it before you check for a new forecast."""
        self._loop = asyncio.get_running_loop()

    def publish(self) -> None:
        """Wake the streams: there are new forecasts."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """Wake the streams for the last time."""
        self.closing = True
        self._wake()

    def _wake(self) -> None:
        self.published.set()
        self.published = asyncio.Event()


async def _subscribe(request: Request, owner: Annotated[Owner, Depends(require_token)]) -> AsyncIterator[None]:
    """Hold one of the streams of the process and of the user from before the first event until the response ends."""
    subscribers, settings = request.app.state.broadcaster.subscribers, request.app.state.settings
    for n_open, limit, whose in (
        (subscribers.total(), settings.streams, "this process"),
        (subscribers[owner.user_id], settings.user_streams, "a user"),
    ):
        if n_open >= limit:
            message = f"the limit of {limit} open streams of {whose} is reached"
            raise ServingError("too_many_streams", message, "try again later, or use /predict")
    subscribers[owner.user_id] += 1
    try:
        yield
    finally:
        subscribers -= Counter([owner.user_id])  # Leaves out users without any.


_EVENTS: dict[str, Any] = {
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
    "description": "The events",
}


@router.get(
    "/stream/{pair}",
    summary="Stream the forecasts of a pair",
    dependencies=[Depends(require_token), Depends(_subscribe)],
    response_class=StreamingResponse,
    responses={200: _EVENTS, **answers(401, 404, 422, 429, 503)},
)
async def stream(request: Request, pair: PairDep, service: ForecastsDep) -> StreamingResponse:
    """The current forecast and then each new one, as `/predict` answers it; each is counted as a call.

    The event `forecast` has the time of issue as its id; a client that sends it as `Last-Event-ID` does not get that
    forecast again. The event `error` is the last one: the quota is used up, or the token was revoked.
    """
    state, last_id = request.app.state, request.headers.get("last-event-id")
    # Before the response starts, so that a refusal has its own status.
    if _forecast_id(service, pair) != last_id:
        last_id, first = await _forecast_event(request, service, pair)
    else:
        async with counted_call(request) as grant:
            state.accounts.quota.refund(grant)
        first = b": nothing new\n\n"

    async def events() -> AsyncIterator[bytes]:
        nonlocal last_id
        try:
            yield first
            while not state.broadcaster.closing:
                published = state.broadcaster.published
                if _forecast_id(service, pair) not in (None, last_id):
                    last_id, event = await _forecast_event(request, service, pair)
                    yield event
                    continue
                try:
                    await asyncio.wait_for(published.wait(), state.settings.heartbeat_seconds)
                except TimeoutError:
                    yield b": alive\n\n"
        except ServingError as exc:
            yield f"event: error\ndata: {problem_of(request.scope, exc).model_dump_json()}\n\n".encode()

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events(), 200, headers, "text/event-stream")


async def _forecast_event(request: Request, service: ForecastService, pair: str) -> tuple[str | None, bytes]:
    """The id and the event of the current forecast, counted as a call."""
    async with counted_call(request):
        forecast_id, body = _forecast_id(service, pair), service.body(pair)
    return forecast_id, b"event: forecast\nid: %s\ndata: %s\n\n" % (str(forecast_id).encode(), body)


def _forecast_id(service: ForecastService, pair: str) -> str | None:
    issued = service.get(pair)
    return f"{issued.forecast.issued_at:%Y-%m-%dT%H:%M:%SZ}" if issued else None
