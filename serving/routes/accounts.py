"""Registering, logging in, the API token, and what has been used."""

from fastapi import APIRouter, Depends, Request, Response, status

from serving.accounts import logins, tokens
from serving.accounts.accounts import Attempted
from serving.accounts.answers import Credentials, LoginOut, RegisteredOut, TokenOut, UsageOut
from serving.accounts.dependencies import AccountsDep, CurrentUser, HeaderToken, LoggedInUser

router = APIRouter(tags=["accounts"])


async def _never_stored(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


Secret = Depends(_never_stored)
"""For answers with a token in them."""


@router.post("/register", status_code=status.HTTP_201_CREATED, dependencies=[Secret])
async def register(credentials: Credentials, accounts: AccountsDep, request: Request) -> RegisteredOut:
    """Become a member: a login, an API token, and a month's calls."""
    new = await accounts.register(_attempted(credentials, request))
    return RegisteredOut.model_validate(new, from_attributes=True)


@router.post("/login", dependencies=[Secret])
async def log_in(credentials: Credentials, accounts: AccountsDep, request: Request) -> LoginOut:
    """A login that lasts ten days. The error code is `unknown_user` where nobody has the name: offer to register."""
    login = await accounts.log_in(_attempted(credentials, request))
    return LoginOut.model_validate(login, from_attributes=True)


@router.post(
    "/logout",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def log_out(user: LoggedInUser, token: HeaderToken, accounts: AccountsDep) -> None:
    """End this login: at once here, for forecasts within a second in other processes."""
    await accounts.database.write(lambda session: logins.close_login(session, token or ""))
    accounts.gatekeeper.forget(user.user_id)


@router.delete("/logins", status_code=status.HTTP_204_NO_CONTENT)
async def log_out_everywhere(user: LoggedInUser, accounts: AccountsDep) -> None:
    """End every login of the user, this one as well."""
    await accounts.database.write(lambda session: logins.close_logins(session, user.user_id))
    accounts.gatekeeper.forget(user.user_id)


@router.get("/me")
async def me(user: CurrentUser, accounts: AccountsDep) -> UsageOut:
    """Who I am and what I have used; takes an API token as well, and is not counted."""
    told, held = await accounts.gatekeeper.beside_held(
        user.user_id, lambda session: UsageOut.of(accounts.usage(session, user.user_id))
    )
    return told.less(held)


@router.post("/tokens/rotate", dependencies=[Secret])
async def rotate_token(user: LoggedInUser, accounts: AccountsDep) -> TokenOut:
    """A new API token; the old one is dead at once here, and within a second in other processes."""
    now = accounts.clock()
    token = await accounts.database.write(lambda session: tokens.rotate(session, user.user_id, now))
    accounts.gatekeeper.forget(user.user_id)
    return TokenOut(api_token=token)


@router.delete("/tokens", status_code=status.HTTP_204_NO_CONTENT)
async def revoke_token(user: LoggedInUser, accounts: AccountsDep) -> None:
    """Have no API token any more, until the next one is asked for."""
    await accounts.database.write(lambda session: tokens.revoke(session, user.user_id))
    accounts.gatekeeper.forget(user.user_id)


def _attempted(credentials: Credentials, request: Request) -> Attempted:
    address = request.client.host if request.client else "unknown"
    return Attempted(credentials.name, credentials.password.get_secret_value(), address)
