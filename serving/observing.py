"""Around every request: its id, its line in the log, its place in the metrics, and an answer whatever happens."""

import json
import logging
import re
import secrets
import time
from itertools import count

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import body_for
from serving.logs import request_id
from serving.metrics import Requests

log = logging.getLogger("serving.access")

_OURS, _NUMBER = secrets.token_hex(4), count(1)
_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_UNLOGGED = frozenset({"/healthz", "/readyz", "/metrics"})


class Observing:
    """ASGI middleware.

    Args:
        app: What answers.
        requests: Counts.
        access_log: Whether each request is a line in the log.
    """

    def __init__(self, app: ASGIApp, requests: Requests, access_log: bool) -> None:
        self._app = app
        self._requests = requests
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _Seen(_id_of(scope), scope["path"], send)
        token = request_id.set(seen.id)
        begun = time.perf_counter()
        try:
            await self._app(scope, receive, seen.send)
        except Exception:
            log.exception("not foreseen")
            await seen.fail()
        finally:
            self._note(scope, seen.status, time.perf_counter() - begun)
            request_id.reset(token)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        self._requests.note((*_route(scope), str(status)), seconds)
        if self._access_log and scope["path"] not in _UNLOGGED:
            # The path and not the query, which may hold a token.
            fields = {
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "ms": round(seconds * 1000, 2),
            }
            log.info("request", extra={"fields": fields})


def _route(scope: Scope) -> tuple[str, str]:
    """Method and path as declared: as many as there are endpoints, whatever is asked for."""
    if "endpoint" not in scope:
        return "ANY", "unmatched"
    route: str = scope["path"]
    for name, value in scope.get("path_params", {}).items():
        route = route.replace(f"/{value}", f"/{{{name}}}", 1)
    return scope["method"], route


def _id_of(scope: Scope) -> str:
    """The caller's own, so that both logs can be laid side by side; else one of ours."""
    given: bytes = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if _ACCEPTED.fullmatch(given) else f"{_OURS}{next(_NUMBER):08x}"


class _Seen:
    """One answer on its way out."""

    def __init__(self, identity: str, path: str, send: Send) -> None:
        self.id = identity
        self._path = path
        self.status = 499  # The client was gone before there was an answer.
        self._send = send
        self._started = False

    async def send(self, message: Message) -> None:
        """Pass on, with the request's id in the head."""
        if message["type"] == "http.response.start":
            self._started = True
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.id.encode())]
        await self._send(message)

    async def fail(self) -> None:
        """Answer 500, where nothing has been sent yet."""
        if self._started:
            return
        told = body_for(self._path)("internal_error", "the API has failed", "tell its operator the request id")
        body = json.dumps(told).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})
