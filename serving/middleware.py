"""ASGI middleware: the prefix of a reverse proxy, request ids, the access log, metrics, and the body limit."""

import logging
import re
import secrets
import time
from dataclasses import dataclass
from functools import cache
from itertools import count

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import error_response, path_of
from serving.logs import request_id

log = logging.getLogger("serving.access")

PREFIX = "/api/v1"
"""Of the API's paths, below that of a reverse proxy."""

CLIENT_CLOSED_REQUEST = 499
"""Logged and counted where the client disconnects before the response."""

_PROCESS, _NUMBER = secrets.token_hex(4), count(1)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PREFIX = re.compile(rb"(/[A-Za-z0-9._~-]+)+")
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def _header(scope: Scope, wanted: bytes, pattern: re.Pattern[bytes]) -> str:
    """The value of a header if it has the format, else nothing: any client can send it."""
    value = next((value for name, value in scope["headers"] if name == wanted), b"").rstrip(b"/")
    return value.decode() if pattern.fullmatch(value) else ""


@dataclass(frozen=True)
class ProxyPrefix:
    """Adds the path prefix of a reverse proxy to the request, so that documentation and redirects keep it.

    It does not matter whether the proxy strips the prefix from the path. Without a prefix of the settings, the header
    ``X-Forwarded-Prefix`` decides.
    """

    app: ASGIApp
    prefix: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and (prefix := self.prefix or _header(scope, b"x-forwarded-prefix", _PREFIX)):
            path = scope["path"]
            # The proxy's prefix may be one that our own paths begin with, such as /api.
            is_stripped = path.startswith(f"{PREFIX}/") and not path.startswith(f"{prefix}{PREFIX}/")
            inside = not is_stripped and (path == prefix or path.startswith(f"{prefix}/"))
            scope = {**scope, "root_path": prefix, "path": path if inside else prefix + path}
        await self.app(scope, receive, send)


class RequestObserver:
    """Gives each request an id, logs and counts it, limits its body, and answers 500 to unexpected errors.

    A longer body than ``max_body_bytes`` is answered 413 while it is read, whatever its declared length; FastAPI's
    ``max_body_size`` answers in plain text.
    """

    def __init__(self, app: ASGIApp, registry: CollectorRegistry, access_log: bool, max_body_bytes: int) -> None:
        counter = Counter("make_us_rich_requests", "Requests.", ("method", "route", "status"), registry=registry)
        about = "Seconds until the response was complete."
        timer = Histogram("make_us_rich_request_seconds", about, ("route",), registry=registry, buckets=_BUCKETS)
        # Looking up a child by its labels takes longer than counting.
        self._counter, self._timer = cache(counter.labels), cache(timer.labels)
        self._app = app
        self._access_log = access_log
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started, left = CLIENT_CLOSED_REQUEST, time.perf_counter(), self._max_body_bytes
        identity = _header(scope, b"x-request-id", _REQUEST_ID) or f"{_PROCESS}{next(_NUMBER):08x}"

        async def receive_limited() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413)
            return message

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", identity.encode())]
            await send(message)

        token = request_id.set(identity)
        try:
            await self._app(scope, receive_limited, send_with_id)
        except Exception as exc:
            log.exception("unexpected error")
            if status == CLIENT_CLOSED_REQUEST:
                await error_response(scope, exc)(scope, receive, send_with_id)
        finally:
            self._record(scope, status, time.perf_counter() - started)
            request_id.reset(token)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        path = template = path_of(scope)
        for name, value in scope.get("path_params", {}).items():
            template = template.replace(f"/{value}", f"/{{{name}}}", 1)
        # The number of metrics must not depend on what clients send.
        method, route = (scope["method"], template) if "endpoint" in scope else ("ANY", "unmatched")
        self._counter(method, route, str(status)).inc()
        self._timer(route).observe(seconds)
        if self._access_log and path not in ("/healthz", "/readyz", "/metrics"):
            # The path without the query, which may hold a token.
            fields = {"method": scope["method"], "path": path, "status": status, "ms": round(seconds * 1000, 2)}
            log.info("request", extra={"fields": fields})
