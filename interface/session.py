"""Settings of the process, and the login of the browser session with its cookie (ADR 0018).

Streamlit can read cookies but not set them. A log-in therefore issues a ticket, which the browser exchanges for the
cookie with a request of its own; the login token never reaches the page. A change of the login is also announced to
the other tabs of the browser, which reload.
"""

import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from interface.api_client import ApiClient
from make_us_rich.client import UnauthorizedError
from make_us_rich.client.schemas import Login, Registration, Usage
from make_us_rich.domain.errors import ParameterError

KEY = "session"
COOKIE = "make_us_rich_login"
COOKIE_PATH = "session"
"""Where tickets are exchanged; relative: the interface may be served below a proxy's prefix."""
TICKET_HEADER = "x-ticket"
PREFIX = "MAKE_US_RICH_"

_TICKET_SECONDS = 60.0
_mount = st.components.v2.component(
    "make_us_rich.cookie_sync", js=Path(__file__).with_name("cookie_sync.js").read_text()
)
_tickets: dict[str, tuple[Login, float]] = {}


@dataclass(frozen=True)
class Settings:
    """Addresses that the interface uses."""

    api_url: str  # of the API, as the interface reaches it
    public_api_url: str  # of the API, as users reach it, for the code examples
    host: str  # to listen on, IPv4 or IPv6
    port: int
    mlflow_url: str | None  # of MLflow's own interface, as a browser reaches it; None for no links
    env: str | None  # Kedro environment of the catalog; None for the default


@cache
def settings() -> Settings:
    """The environment's settings; raises ParameterError where an address is not HTTP or a port is out of range."""
    api_url, port = _url("API_URL", "http://127.0.0.1:8000"), os.environ.get(f"{PREFIX}INTERFACE_PORT", "8501")
    if not port.isdecimal() or not 1 <= int(port) <= 65_535:
        raise ParameterError(f"{PREFIX}INTERFACE_PORT: {port} is not a port", "write a number from 1 to 65535")
    return Settings(
        api_url=api_url,
        public_api_url=_url("PUBLIC_API_URL", api_url),
        host=os.environ.get(f"{PREFIX}INTERFACE_HOST", "127.0.0.1").strip("[]"),
        port=int(port),
        mlflow_url=os.environ.get(f"{PREFIX}MLFLOW_URL", "").rstrip("/") or None,
        env=os.environ.get(f"{PREFIX}ENV"),
    )


def _url(name: str, default: str) -> str:
    url = (os.environ.get(f"{PREFIX}{name}") or default).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise ParameterError(f"{PREFIX}{name}: {url} is not an HTTP address", "write one such as http://127.0.0.1:8000")
    return url


@dataclass
class Session:
    """What a browser session remembers about its user."""

    login_token: str | None = field(repr=False)
    user: Usage | None = None  # as of the last response of the API
    shown_usage: Usage | None = None  # in the quota bar; None until the bar is drawn
    cookie_change: tuple[Literal["POST", "DELETE"] | None, str] = (None, "")
    """For the browser: the method and the ticket."""
    ended: str = ""  # why the last login ended, unless the user has logged out
    api_token: str | None = field(default=None, repr=False)  # a new API token, until the user has saved it
    just_registered: bool = False  # whether the user has still to save the first API token


@cache
def _connections(url: str) -> ApiClient:
    return ApiClient.connect(url)


def state() -> Session:
    """The session; a new one begins with the login of the browser's cookie."""
    found: Session = st.session_state.setdefault(KEY, Session(st.context.cookies.get(COOKIE)))
    return found


def client() -> ApiClient:
    """The API as the user of this session; without a login, as nobody."""
    return _connections(settings().api_url).as_user(state().login_token, st.context.ip_address)


def user() -> Usage:
    """The logged-in user; pages run for logged-in users only."""
    found = state().user
    assert found is not None  # noqa: S101
    return found


def load_user() -> Usage | None:
    """Ask the API who is logged in; None where nobody is."""
    token, known = state().login_token, state().user
    if token is None:
        return None
    try:
        found = client().me()
    except UnauthorizedError:
        expire()
        return None
    if known and known.name != found.name:
        _restart(Session(token))
    state().user = found
    return found


def log_in(login: Login) -> None:
    """Start the session of a login; its cookie holds in every tab until it expires."""
    _restart(Session(login.login_token, cookie_change=("POST", issue_ticket(login))))
    if isinstance(login, Registration):
        state().api_token, state().just_registered = login.api_token, True


def log_out(*, everywhere: bool = False) -> None:
    """End the login in every tab, or all logins of the user on every device."""
    with suppress(UnauthorizedError):  # It has ended already.
        client().send(*(("DELETE", "/logins") if everywhere else ("POST", "/logout")))
    _restart(Session(None, cookie_change=("DELETE", secrets.token_urlsafe(8))))


def expire(reason: str = "Your login has ended.") -> None:
    """Forget a login that the API no longer accepts; the form to log in shows the reason."""
    _restart(Session(None, cookie_change=("DELETE", secrets.token_urlsafe(8)), ended=reason))


def discard_api_token() -> None:
    """The user has saved the new API token: forget it."""
    state().api_token, state().just_registered = None, False


def _restart(session: Session) -> None:
    for key in list(st.session_state):
        del st.session_state[key]
    st.session_state[KEY] = session


def issue_ticket(login: Login) -> str:
    """A ticket for the cookie of a login, good once and for a minute."""
    ticket, now = secrets.token_urlsafe(32), time.monotonic()
    for old, (_, issued) in list(_tickets.items()):
        if now - issued > _TICKET_SECONDS:
            _tickets.pop(old, None)
    _tickets[ticket] = (login, now)
    return ticket


def sync_cookie() -> None:
    """Let the browser exchange a ticket for the cookie or delete the cookie, and listen to its other tabs."""
    method, ticket = state().cookie_change
    with st.container(key="cookie-sync"):
        data = {"method": method, "path": COOKIE_PATH, "header": TICKET_HEADER, "ticket": ticket}
        _mount(key="cookie-sync-script", data=data)


async def _change_cookie(request: Request) -> Response:
    if TICKET_HEADER not in request.headers:  # Other sites cannot send it without a CORS preflight, which fails.
        return Response(status_code=HTTPStatus.FORBIDDEN)
    secure = "https" in {request.url.scheme, request.headers.get("x-forwarded-proto", "")}
    options: dict[str, Any] = {"httponly": True, "samesite": "strict", "secure": secure}
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    for name in request.cookies:
        if name.startswith("_streamlit_user"):  # Of `st.login`, whose ID token has served.
            response.delete_cookie(name)
    if request.method == "DELETE":
        response.delete_cookie(COOKIE, **options)
        return response
    login, issued = _tickets.pop(request.headers[TICKET_HEADER], (None, 0.0))
    if login is None or time.monotonic() - issued > _TICKET_SECONDS:
        return Response(status_code=HTTPStatus.GONE)
    response.set_cookie(COOKIE, login.login_token, expires=login.expires_at, **options)
    return response


ROUTES = [Route(f"/{COOKIE_PATH}", _change_cookie, methods=["POST", "DELETE"])]
