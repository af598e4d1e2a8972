"""Endpoints for one's own account: registration, logins, the API token, usage."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import delete

from make_us_rich.client.schemas import AccountData, ApiToken, Login, Registration, Usage
from serving.accounts import tables, tokens, users
from serving.accounts.logins import MAX_LENGTH, MIN_LENGTH
from serving.accounts.users import normalize_name
from serving.dependencies import AccountsDep, Bearer, CurrentUser, LoggedInUser

router = APIRouter(tags=["accounts"])


def _check_storable(text: str) -> str:
    # PostgreSQL refuses NUL, the drivers refuse unpaired surrogates.
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must not contain NUL or unpaired surrogates")
    return normalize_name(text)


UserName = Annotated[str, AfterValidator(_check_storable), Field(max_length=200)]
"""A name as typed; normalised."""


class Credentials(BaseModel):
    """A name and a password."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "ada", "password": "engine-of-1843"}]})

    name: UserName = Field(description="3 to 64 letters, digits or . _ @ + -; in any case")
    password: SecretStr = Field(max_length=MAX_LENGTH, description=f"{MIN_LENGTH} to {MAX_LENGTH} characters")


Password = Annotated[SecretStr, Field(max_length=MAX_LENGTH)]


class Confirmation(BaseModel):
    """The present password, asked for again."""

    password: Password


class PasswordChange(Confirmation):
    """The present password and the new one."""

    new_password: Password = Field(description=f"{MIN_LENGTH} to {MAX_LENGTH} characters")


class NewPassword(BaseModel):
    """The token of an admin's link, and the new password."""

    reset_token: SecretStr = Field(max_length=100)
    new_password: Password = Field(description=f"{MIN_LENGTH} to {MAX_LENGTH} characters")


class IdToken(BaseModel):
    """An ID token of the OpenID Connect issuer."""

    id_token: SecretStr = Field(max_length=16_384)


async def _forbid_caching(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


SECRET = [Depends(_forbid_caching)]


@router.post("/register", summary="Register a user", status_code=201, dependencies=SECRET)
async def register(credentials: Credentials, request: Request, accounts: AccountsDep) -> Registration:
    """Add a member with a login and an API token; neither token is shown again."""
    password = credentials.password.get_secret_value()
    return await accounts.register(credentials.name, password, _address(request))


@router.post("/login", summary="Log in", dependencies=SECRET)
async def log_in(credentials: Credentials, request: Request, accounts: AccountsDep) -> Login:
    """Log in for ten days.

    The error code `unknown_user` means that no user has the name and that it can be registered with this password;
    `invalid_account` that no user has the name and that it cannot, with the reason.
    """
    password = credentials.password.get_secret_value()
    return await accounts.log_in(credentials.name, password, _address(request))


@router.post("/login/oidc", summary="Log in with OpenID Connect", dependencies=SECRET)
async def log_in_oidc(body: IdToken, accounts: AccountsDep) -> Login:
    """Log in for ten days with an ID token of the configured issuer; adds a member at the first time."""
    return await accounts.log_in_oidc(body.id_token.get_secret_value())


@router.post("/logout", summary="Log out", status_code=204)
async def log_out(user: LoggedInUser, bearer: Bearer, accounts: AccountsDep) -> None:
    """End this login: at once in this process, within a second for forecasts in other processes."""
    this = tables.Login.hash == tokens.hash_token(bearer.credentials if bearer else "")
    await accounts.database.write(lambda session: session.execute(delete(tables.Login).where(this)))
    accounts.authenticator.forget(user.id)


@router.delete("/logins", summary="Log out everywhere", status_code=204)
async def log_out_everywhere(user: LoggedInUser, accounts: AccountsDep) -> None:
    """End all logins of the user, including this one."""
    await accounts.database.write(lambda session: tokens.close_logins(session, user.id))
    accounts.authenticator.forget(user.id)


@router.get("/me", summary="Show the user and the calls of this month")
async def me(user: CurrentUser, accounts: AccountsDep) -> Usage:
    """Show name, roles and usage; accepts an API token as well and is not counted."""
    return await accounts.usage(user.id)


@router.put("/me/password", summary="Change the password", dependencies=SECRET)
async def change_password(user: LoggedInUser, change: PasswordChange, request: Request, accounts: AccountsDep) -> Login:
    """Change the password and end all logins; the answer is a new one."""
    confirmed = await accounts.confirm(user.name, change.password.get_secret_value(), _address(request))
    return await accounts.set_password(confirmed, change.new_password.get_secret_value())


@router.post("/password-reset", summary="Set a new password with an admin's link", dependencies=SECRET)
async def reset_password(new: NewPassword, accounts: AccountsDep) -> Login:
    """Set a new password and end all logins; the answer is a new one. The token is good once."""
    return await accounts.reset_password(new.reset_token.get_secret_value(), new.new_password.get_secret_value())


@router.get("/me/data", summary="Export one's data", dependencies=SECRET)
async def export_data(user: LoggedInUser, accounts: AccountsDep) -> AccountData:
    """All that is stored of the user but hashes and the destinations of alerts."""
    return await accounts.export(user.id)


@router.post("/me/deletion", summary="Delete the account", status_code=204)
async def delete_account(
    user: LoggedInUser, confirmation: Confirmation, request: Request, accounts: AccountsDep
) -> None:
    """Delete the user and all that is stored of it; the calls of the month stay without a name until it is over."""
    confirmed = await accounts.confirm(user.name, confirmation.password.get_secret_value(), _address(request))
    await accounts.database.write(lambda session: users.anonymize(session, confirmed.name))
    accounts.authenticator.forget(confirmed.id)


@router.post("/tokens/rotate", summary="Replace the API token by a new one", dependencies=SECRET)
async def rotate_token(user: LoggedInUser, accounts: AccountsDep) -> ApiToken:
    """Issue a new API token; the old one is revoked at once in this process, within a second in others."""
    now = accounts.clock()
    token = await accounts.database.write(lambda session: tokens.issue(session, user.id, now))
    accounts.authenticator.forget(user.id)
    return ApiToken(api_token=token)


@router.delete("/tokens", summary="Revoke the API token", status_code=204)
async def revoke_token(user: LoggedInUser, accounts: AccountsDep) -> None:
    """Revoke the API token without a replacement."""
    await accounts.database.write(lambda session: tokens.revoke(session, user.id))
    accounts.authenticator.forget(user.id)
