"""Forecasts as they are made, one for each closed candle, as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from serving.charging import TOKEN, charged, known
from serving.dependencies import PairName
from serving.errors import TooManyStreamsError, answers, error_body
from serving.errors_base import ServingError
from serving.routes.predict import current
from serving.store.announcer import Announcer
from serving.store.stores import Stores

router = APIRouter(tags=["forecasts"])

_EVENTS: dict[str, Any] = {
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
    "description": "The events",
}
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get(
    "/stream/{pair}",
    dependencies=[Depends(known)],
    response_class=StreamingResponse,
    responses={200: _EVENTS, **answers(401, 404, 422, 429, 503)},
    openapi_extra=TOKEN,
)
async def stream(request: Request, pair: PairName) -> StreamingResponse:
    """The forecast of now and then each new one, as `/predict` answers it; every one is counted as a call.

    The event `forecast` has the time of issue as its id, and is not sent again to whoever names it in
    `Last-Event-ID`. The event `error` is the last one: the quota is used up, or the token revoked.
    """
    follower = _Follower(request, pair)
    return StreamingResponse(follower.events(await follower.first()), 200, _HEADERS, "text/event-stream")


class _Follower:
    """One client that follows one pair."""

    def __init__(self, request: Request, pair: str) -> None:
        self._request = request
        self._pair = pair
        self._stores: Stores = request.app.state.stores
        self._announcer: Announcer = request.app.state.announcer
        self._seen = request.headers.get("last-event-id")

    async def first(self) -> bytes:
        """The first event, made before the answer begins, so that a refusal is an answer with its own status.

        Raises:
            ServingError: No token, no calls, no forecast, or too many streams.
        """
        if self._announcer.open >= self._request.app.state.settings.streams:
            raise TooManyStreamsError("this process has no room for another stream", "try again, or ask /predict")
        if self._id() != self._seen:
            return await self._event()
        async with charged(self._request) as admission:
            await self._request.app.state.accounts.gatekeeper.refund(admission)
        return b": nothing new\n\n"

    async def events(self, first: bytes) -> AsyncIterator[bytes]:
        """Bytes to send, until the process ends or a refusal."""
        self._announcer.open += 1
        try:
            yield first
            while not self._announcer.closing:
                yield await self._following()
        except ServingError as exc:
            told = json.dumps(error_body(exc.code, exc.message, exc.remedy))
            yield f"event: error\ndata: {told}\n\n".encode()
        finally:
            self._announcer.open -= 1

    async def _following(self) -> bytes:
        announced = self._announcer.next(self._pair)
        if self._id() not in (None, self._seen):
            return await self._event()
        try:
            await asyncio.wait_for(announced.wait(), self._request.app.state.settings.heartbeat_seconds)
        except TimeoutError:
            return b": alive\n\n"
        return b""

    async def _event(self) -> bytes:
        async with charged(self._request):
            identity, body = self._id(), current(self._stores, self._pair)
        self._seen = identity
        return b"event: forecast\nid: %s\ndata: %s\n\n" % (str(identity).encode(), body)

    def _id(self) -> str | None:
        issued = self._stores.forecasts.get(self._pair)
        return f"{issued.forecast.issued_at:%Y-%m-%dT%H:%M:%SZ}" if issued else None
