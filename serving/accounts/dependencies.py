"""Who asks, as endpoints want to know it.

All are coroutines, though most wait for nothing: FastAPI sends a plain function to a thread and waits for that, which
takes longer than what is done here.
"""

from typing import Annotated

from fastapi import Depends, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from serving.accounts.accounts import Accounts
from serving.accounts.errors import ForbiddenError
from serving.accounts.logins import Identity
from serving.accounts.tokens import LOGIN

_bearer = HTTPBearer(auto_error=False, description="The token of a login, or an API token")


async def _accounts(request: Request) -> Accounts:
    accounts: Accounts = request.app.state.accounts
    return accounts


AccountsDep = Annotated[Accounts, Depends(_accounts)]


async def _token(
    sent: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    token: Annotated[str | None, Query(description="For compatibility; prefer the header", max_length=200)] = None,
) -> str | None:
    return sent.credentials if sent else token


async def _header_token(sent: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> str | None:
    return sent.credentials if sent else None


HeaderToken = Annotated[str | None, Depends(_header_token)]
AnyToken = Annotated[str | None, Depends(_token)]


async def _current_user(accounts: AccountsDep, token: HeaderToken) -> Identity:
    return await accounts.identify(token)


CurrentUser = Annotated[Identity, Depends(_current_user)]
"""A login or an API token in the header; the call is not counted."""


async def logged_in(user: CurrentUser, token: HeaderToken) -> Identity:
    """Only a login in the header.

    Raises:
        UnauthorizedError: No token, or not a good one.
        ForbiddenError: An API token.
    """
    if not (token or "").startswith(LOGIN):
        raise ForbiddenError("an API token may not do this", "log in and use the token of the login")
    return user


async def _admin(accounts: AccountsDep, token: AnyToken) -> Identity:
    user = await accounts.identify(token)
    user.must_be_admin()
    return user


LoggedInUser = Annotated[Identity, Depends(logged_in)]
"""A login in the header."""

AdminUser = Annotated[Identity, Depends(_admin)]
"""A login or an API token of an admin, in the header or, for compatibility, in the query."""


async def logged_in_admin(user: LoggedInUser) -> None:
    """Only a login of an admin, in the header: what changes accounts takes no API token.

    Raises:
        UnauthorizedError: No login.
        ForbiddenError: Not an admin's.
    """
    user.must_be_admin()
