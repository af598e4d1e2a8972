"""Calls that count: admitted before the work, given back where it fails through no fault of the caller."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import Request
from starlette.types import Scope

from serving.accounts.errors import UnauthorizedError
from serving.accounts.gatekeeper import Admission
from serving.accounts.tokens import LOGIN
from serving.errors import status_of

TOKEN: dict[str, Any] = {
    "security": [{"HTTPBearer": []}, {"TokenInQuery": []}],
}
"""For OpenAPI: an API token or a login in the header, or an API token in the query for compatibility."""

USAGE_HEADERS: dict[str, Any] = {
    name: {"description": about, "schema": {"type": "integer"}}
    for name, about in {
        "X-RateLimit-Limit": "Calls a month",
        "X-RateLimit-Remaining": "Calls left",
        "X-RateLimit-Reset": "When the next month begins, seconds since 1970",
    }.items()
}
"""For OpenAPI: what a counted answer says about the quota."""


def token_of(scope: Scope) -> str:
    """The token of a request: an API token, or in the header that of a login.

    Raises:
        UnauthorizedError: There is none.
    """
    # Looked up where it arrives: to make a mapping of all headers takes longer than to check the token.
    sent: bytes = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    kind, _, token = sent.decode("latin-1").partition(" ")
    in_header = kind.lower() == "bearer"
    found = token.strip() if in_header else Request(scope).query_params.get("token")
    # A login can do more than call, and an address is read by more than a header is.
    if not found or (found.startswith(LOGIN) and not in_header):
        raise UnauthorizedError("this needs an API token", "send Authorization: Bearer <token>")
    return found


async def known(request: Request) -> None:
    """For endpoints that count a call: before all else, so that who may not call learns nothing but that.

    Raises:
        UnauthorizedError: No token, or an unknown one.
        UnavailableError: The database is down, and the token is not known without it.
    """
    await request.app.state.accounts.gatekeeper.recognise(token_of(request.scope))


@asynccontextmanager
async def charged(request: Request) -> AsyncIterator[Admission]:
    """Count a call; one that fails with 5xx, or is given up by the process, is given back.

    Raises:
        UnauthorizedError: No token, or an unknown one.
        QuotaError: The month's calls are used up.
        UnavailableError: The database is down.
    """
    gatekeeper = request.app.state.accounts.gatekeeper
    admission: Admission = await gatekeeper.admit(token_of(request.scope))
    try:
        yield admission
    except Exception as exc:
        if status_of(exc) >= HTTPStatus.INTERNAL_SERVER_ERROR:
            await gatekeeper.refund(admission)
        raise
