"""FastAPI dependencies: who sends a request, whether its call is counted, and the pair that it names.

All are coroutines, because FastAPI runs plain functions in threads, which takes longer than they do.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, Path, Request, Response, Security
from fastapi.security import APIKeyQuery, HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import Scope

from serving.accounts.accounts import Accounts
from serving.accounts.quota import QuotaGrant
from serving.accounts.tables import ADMIN, User
from serving.accounts.tokens import LOGIN, Authenticator, Owner
from serving.errors import ServingError, UnauthorizedError, to_serving_error
from serving.forecasts.models import ServedModel
from serving.forecasts.service import ForecastService

TOKEN_SECURITY: dict[str, Any] = {"security": [{"HTTPBearer": []}, {"TokenInQuery": []}]}
"""OpenAPI: an API token or login token in the header, or an API token in the query for compatibility."""

QUOTA_HEADERS: dict[str, Any] = {
    "RateLimit-Policy": {"description": 'Calls a month, such as `"month";q=1000`', "schema": {"type": "string"}},
    "RateLimit": {
        "description": 'Calls left, and seconds until the next month, such as `"month";r=999;t=86400`',
        "schema": {"type": "string"},
    },
    "X-RateLimit-Limit": {"description": "Calls a month", "schema": {"type": "integer"}},
    "X-RateLimit-Remaining": {"description": "Calls left", "schema": {"type": "integer"}},
    "X-RateLimit-Reset": {"description": "Start of the next month, Unix time", "schema": {"type": "integer"}},
}
"""OpenAPI: headers of a counted response."""

_bearer = HTTPBearer(auto_error=False, description="A login token or an API token")
_query = APIKeyQuery(
    name="token", scheme_name="TokenInQuery", auto_error=False, description="For compatibility; prefer the header"
)
Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
QueryToken = Annotated[str | None, Security(_query)]


async def _accounts(request: Request) -> Accounts:
    accounts: Accounts = request.app.state.accounts
    return accounts


async def _forecasts(request: Request) -> ForecastService:
    service: ForecastService = request.app.state.forecasts
    return service


AccountsDep = Annotated[Accounts, Depends(_accounts)]
ForecastsDep = Annotated[ForecastService, Depends(_forecasts)]


async def _current_user(accounts: AccountsDep, bearer: Bearer) -> User:
    return await accounts.authenticator.identify(bearer.credentials if bearer else None)


CurrentUser = Annotated[User, Depends(_current_user)]
"""The user of a login token or API token in the header."""


async def _logged_in_user(user: CurrentUser, bearer: Bearer) -> User:
    if bearer is None or not bearer.credentials.startswith(LOGIN):
        raise ServingError("forbidden", "an API token may not do this", "log in and use the login token")
    return user


LoggedInUser = Annotated[User, Depends(_logged_in_user)]
"""The user of a login token in the header; 403 for an API token."""


async def require_admin_login(user: LoggedInUser) -> None:
    """Refuse everything but the login token of an admin in the header."""
    if ADMIN not in user.role_names:
        raise ServingError("forbidden", "only an admin may do this", "ask an admin to do it, or to give you the role")


async def require_admin(request: Request, accounts: AccountsDep, _bearer: Bearer, _query: QueryToken) -> None:
    """Refuse everything but a token of an admin, where `token_of` finds it."""
    await require_admin_login(await accounts.authenticator.identify(token_of(request.scope)))


def token_of(scope: Scope) -> str:
    """The token of a request: in the header of any kind, in the query an API token only, because URLs are logged."""
    # Reading one header is faster than building the mapping of all headers.
    header: bytes = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    scheme, _, token = header.decode("latin-1").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    query_token = None if scheme.lower() == "bearer" else Request(scope).query_params.get("token")
    if not query_token or query_token.startswith(LOGIN):
        raise UnauthorizedError("an API token is missing", "send Authorization: Bearer <token>")
    return query_token


async def require_token(request: Request, _bearer: Bearer, _query: QueryToken) -> Owner:
    """Refuse a request without a valid token before its other parameters are checked; nothing is counted."""
    authenticator: Authenticator = request.app.state.accounts.authenticator
    return await authenticator.authenticate(token_of(request.scope))


@asynccontextmanager
async def counted_call(request: Request, response: Response | None = None) -> AsyncIterator[QuotaGrant]:
    """Count a call, with its headers in a response or error; refund it if it fails with 5xx.

    Errors as those of `Accounts.admit`.
    """
    accounts: Accounts = request.app.state.accounts
    grant = await accounts.admit(token_of(request.scope))
    if response is not None:
        response.headers.update(grant.headers())
    try:
        yield grant
    except Exception as exc:
        error = to_serving_error(exc)
        if error.status >= 500:
            accounts.quota.refund(grant)
            raise
        error.headers |= grant.headers()
        raise error from exc.__cause__


def require_pair(service: ForecastService, pair: str) -> str:
    """The name of a configured pair, in lower case; the error ``unknown_pair`` for others."""
    if pair.lower() not in service.pairs:
        raise ServingError("unknown_pair", f"{pair.lower()} is not served", "choose one of GET /api/v1/pairs")
    return pair.lower()


async def _pair(
    pair: Annotated[str, Path(max_length=64, description="Such as `btc_usdt`", examples=["btc_usdt"])],
    service: ForecastsDep,
) -> str:
    return require_pair(service, pair)


PairDep = Annotated[str, Depends(_pair)]
"""The configured pair in the path; 404 for others."""


async def _model(pair: PairDep, service: ForecastsDep) -> ServedModel:
    model = service.models.get(pair)
    if model is None:
        problem = service.models.snapshot.problems.get(pair)
        raise ServingError("no_model", problem or f"{pair}: no model has been loaded yet", "try later")
    return model


ModelDep = Annotated[ServedModel, Depends(_model)]
"""The champion of the pair in the path; 404 or 503 without one."""
