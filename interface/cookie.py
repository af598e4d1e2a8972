"""The cookie that keeps a login: set by the server, out of reach of scripts.

A page of Streamlit cannot set a cookie, and a script in the browser can set none that scripts cannot read. So a log-in
leaves a ticket for the browser, which a request of its own turns into the cookie; the token never enters the page.
"""

import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

NAME = "make_us_rich_login"
PATH = "/session"
TICKET = "x-ticket"

_TICKET_SECONDS = 60.0


@dataclass(frozen=True)
class Kept:
    """What a ticket is worth."""

    token: str = field(repr=False)
    expires_at: datetime
    issued: float


class Tickets:
    """Tickets that are good once and for a minute; several threads may ask."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._lock = threading.Lock()

    def issue(self, token: str, expires_at: datetime) -> str:
        """A ticket for a login."""
        ticket, now = secrets.token_urlsafe(32), time.monotonic()
        with self._lock:
            self._kept = {key: kept for key, kept in self._kept.items() if now - kept.issued < _TICKET_SECONDS}
            self._kept[ticket] = Kept(token, expires_at, now)
        return ticket

    def redeem(self, ticket: str) -> Kept | None:
        """The login behind a ticket; none where it is unknown, used or old."""
        with self._lock:
            kept = self._kept.pop(ticket, None)
        return kept if kept and time.monotonic() - kept.issued < _TICKET_SECONDS else None


TICKETS = Tickets()
"""Those of this process; pages issue them, the route redeems them."""


async def _keep(request: Request) -> Response:
    kept = TICKETS.redeem(request.headers.get(TICKET, ""))
    if kept is None:
        return Response(status_code=HTTPStatus.GONE)
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.set_cookie(
        NAME, kept.token, expires=kept.expires_at, httponly=True, samesite="strict", secure=_is_encrypted(request)
    )
    return response


async def _forget(request: Request) -> Response:
    # A page of another site cannot send a header of its own without being asked for permission first.
    if TICKET not in request.headers:
        return Response(status_code=HTTPStatus.FORBIDDEN)
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.delete_cookie(NAME, httponly=True, samesite="strict", secure=_is_encrypted(request))
    return response


def _is_encrypted(request: Request) -> bool:
    return "https" in {request.url.scheme, request.headers.get("x-forwarded-proto", "")}


ROUTES = [Route(PATH, _keep, methods=["POST"]), Route(PATH, _forget, methods=["DELETE"])]
