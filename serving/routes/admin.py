"""Endpoints for admins: users, roles, plans, consumption, rollback of a pair, and the last hourly runs."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from make_us_rich.client import schemas
from make_us_rich.client.schemas import ClosedLogins, Consumption, PasswordReset, Plan, RecentRuns, Usage, UserPage
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.run_log import PipelineRun, read_runs
from serving.accounts import tokens, users
from serving.accounts.accounts import Accounts
from serving.accounts.tables import Role, User, UserApiConsumption, first_day
from serving.dependencies import AccountsDep, ForecastsDep, PairDep, require_admin_login
from serving.errors import ServingError
from serving.routes.accounts import SECRET, UserName

# On the router, so that no endpoint can miss it.
router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(require_admin_login)])

Name = Annotated[UserName, Path(description="Name of a user")]
RoleName = Literal["admin", "member"]
Version = Annotated[
    str | None,
    Query(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z$",
        description="The version to serve again; by default the champion before the current one",
        examples=["2026-11-22T22.26.43.877Z"],
    ),
]
MaxRuns = Annotated[int, Query(alias="most", ge=1, le=500, description="Maximum number of runs")]


class UserQuery(BaseModel):
    """A page of users in the order of their names."""

    search: UserName = Field("", description="Part of a name")
    after: UserName = Field("", description="The last name of the page before")
    size: int = Field(100, ge=1, le=1000)


class RolesUpdate(BaseModel):
    """All roles of a user."""

    roles: list[RoleName] = Field(max_length=10, examples=[["admin", "member"]])


class LimitUpdate(BaseModel):
    """Calls a month; null removes the limit."""

    monthly_limit: int | None = Field(ge=0, le=2_000_000_000, examples=[20_000])


@router.get("/users", summary="List users by name")
async def list_users(accounts: AccountsDep, query: Annotated[UserQuery, Query()]) -> UserPage:
    """List users with their roles and their calls this month, in pages."""
    statement = (
        users.select_usage(accounts.clock(), accounts.settings.monthly_calls)
        .where(User.name > query.after, User.name.contains(query.search, autoescape=True))
        .order_by(User.name)
        .limit(query.size)
    )
    rows = await accounts.database.read(lambda session: session.execute(statement).all())
    page = [accounts.usage_of(user, used, limit) for user, used, limit in rows]
    return UserPage(users=page, next_after=page[-1].name if len(page) == query.size else None)


@router.get("/consumption", summary="Show the calls of all users this month")
async def consumption(accounts: AccountsDep) -> Consumption:
    """Show the number of users and their calls this month, including calls that API processes have leased."""
    n_users = select(func.count()).select_from(User).scalar_subquery()
    used = select(func.sum(UserApiConsumption.used)).where(UserApiConsumption.month == first_day(accounts.clock()))
    statement = select(n_users, used.scalar_subquery())
    users_now, calls = await accounts.database.read(lambda session: session.execute(statement).one())
    return Consumption(users=users_now, used=calls or 0)


@router.get("/users/{name}", summary="Show a user")
async def show_user(name: Name, accounts: AccountsDep) -> Usage:
    """Show a user with roles and calls this month."""
    return await accounts.usage(await accounts.database.read(lambda session: users.get(session, name).id))


@router.put("/users/{name}/roles", summary="Replace the roles of a user")
async def set_roles(name: Name, update: RolesUpdate, accounts: AccountsDep) -> Usage:
    """Give a user exactly these roles; the last admin keeps the role."""
    return await _change(accounts, lambda session: users.set_roles(session, name, update.roles))


@router.put("/users/{name}/limit", summary="Set the calls a month of a user")
async def set_limit(name: Name, update: LimitUpdate, accounts: AccountsDep) -> Usage:
    """Set a user's own calls a month, or remove them; takes effect within a second."""

    def change(session: Session) -> User:
        user = users.get(session, name)
        user.monthly_limit = update.monthly_limit
        return user

    return await _change(accounts, change)


@router.delete("/users/{name}/logins", summary="End all logins of a user")
async def close_logins(name: Name, accounts: AccountsDep) -> ClosedLogins:
    """End all logins of a user at once."""

    def close(session: Session) -> tuple[int, int]:
        user_id = users.get(session, name).id
        return user_id, tokens.close_logins(session, user_id)

    user_id, closed = await accounts.database.write(close)
    accounts.authenticator.forget(user_id)
    return ClosedLogins(closed=closed)


@router.post("/users/{name}/password-reset", summary="Let a user set a new password", dependencies=SECRET)
async def offer_reset(name: Name, accounts: AccountsDep) -> PasswordReset:
    """A token for `/password-reset`, good once and for a day; in the interface, `/account?reset=<token>`."""
    return await accounts.offer_reset(name)


@router.delete("/users/{name}/tokens", summary="Revoke the API token of a user", status_code=204)
async def revoke_tokens(name: Name, accounts: AccountsDep) -> None:
    """Revoke a user's API token: at once in this process, within a second in others."""

    def revoke(session: Session) -> User:
        user = users.get(session, name)
        tokens.revoke(session, user.id)
        return user

    await _change(accounts, revoke)


@router.get("/roles", summary="List the plans")
async def list_plans(accounts: AccountsDep) -> list[Plan]:
    """List the roles with their calls a month."""
    roles = await accounts.database.read(lambda session: session.scalars(select(Role).order_by(Role.name)).all())
    return [Plan(role=role.name, monthly_limit=role.monthly_limit) for role in roles]


@router.put("/roles/{role}/limit", summary="Set the calls a month of a role")
async def set_plan(role: RoleName, update: LimitUpdate, accounts: AccountsDep) -> Plan:
    """Set a role's calls a month, or use those of the settings; takes effect within a second."""

    def change(session: Session) -> None:
        users.get_role(session, role).monthly_limit = update.monthly_limit

    await accounts.database.write(change)
    return Plan(role=role, monthly_limit=update.monthly_limit)


async def _change(accounts: Accounts, change: Callable[[Session], User]) -> Usage:
    user_id = await accounts.database.write(lambda session: change(session).id)
    accounts.authenticator.forget(user_id)
    return await accounts.usage(user_id)


@router.get("/pairs/{pair}/champion", summary="List the versions of a pair")
async def list_versions(pair: PairDep, service: ForecastsDep) -> schemas.ChampionVersions:
    """The champion in the store and the versions that it can be rolled back to."""
    pointer = await asyncio.to_thread(service.repository.pointer, pair)
    earlier = [schemas.Promotion.model_validate(each, from_attributes=True) for each in pointer.earlier]
    return schemas.ChampionVersions(pair=pair, version=pointer.version, earlier=earlier)


@router.put("/pairs/{pair}/champion", summary="Roll back a pair")
async def roll_back(pair: PairDep, service: ForecastsDep, version: Version = None) -> schemas.Rollback:
    """Make an earlier version the champion again, as `kedro rollback` does; it is verified and served at once.

    Other processes load it within a minute. The answer is 409 while a run holds the pair.
    """
    before = service.models.get(pair)
    try:
        pointer = await asyncio.to_thread(service.repository.roll_back, pair, version)
    except ArtifactError as exc:
        remedy = f"choose one of GET /api/v1/admin/pairs/{pair}/champion"
        raise ServingError("cannot_roll_back", exc.message, remedy) from exc
    model = (await service.change_models(service.models.reload)).models.get(pair)
    if before is not None and before.manifest.version == pointer.version:
        message = f"{pair}: already serving {pointer.version}"
    else:
        message = f"{pair}: now serving {pointer.version}, {pointer.promotions[-1].reason}"
    return schemas.Rollback(pair=pair, version=model.manifest.version if model else None, message=message)


@router.get("/runs", summary="List the last hourly runs")
async def list_runs(service: ForecastsDep, max_runs: MaxRuns = 25) -> RecentRuns:
    """The last runs of all pairs, newest first: when they ended, how, and their last message."""

    def read() -> RecentRuns:
        runs: list[PipelineRun] = []
        problems: list[str] = []
        for pair in service.pairs:
            try:
                runs += read_runs(service.repository.find(f"{pair}.runs") or {}, pair)
            except ArtifactError as exc:
                problems.append(str(exc))
        ended = sorted((run for run in runs if run.ended), key=lambda run: run.ended or run.started, reverse=True)
        records = [schemas.RunRecord.model_validate(run, from_attributes=True) for run in ended[:max_runs]]
        return RecentRuns(runs=records, problems=problems)

    return await asyncio.to_thread(read)
