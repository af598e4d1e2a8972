"""Users, roles, plans and consumption, for admins."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, status
from sqlalchemy.orm import Session

from serving.accounts import logins, tokens, usage, users
from serving.accounts.accounts import Accounts
from serving.accounts.answers import ClosedOut, ConsumptionOut, LimitIn, PlanOut, RoleName, RolesIn, UsageOut, UsersOut
from serving.accounts.dependencies import AccountsDep, logged_in_admin
from serving.accounts.tables import User
from serving.accounts.usage import Page

# On the router, so that no endpoint can be without it.
router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(logged_in_admin)])

Name = Annotated[str, Path(max_length=64, description="A user's name")]
PageDep = Annotated[Page, Query()]


@router.get("/users")
async def list_users(accounts: AccountsDep, page: PageDep) -> UsersOut:
    """Users, their roles and their month, by name."""

    def listed(session: Session) -> list[UsageOut]:
        return [UsageOut.of(month) for month in accounts.usages(session, page)]

    found = await accounts.database.read(listed)
    return UsersOut(users=found, next_after=found[-1].name if len(found) == page.size else None)


@router.get("/consumption")
async def consumption(accounts: AccountsDep) -> ConsumptionOut:
    """What everybody together has used of the month."""
    now = accounts.clock()
    everybody, used = await accounts.database.read(lambda session: usage.total(session, now))
    return ConsumptionOut(users=everybody, used=used)


@router.get("/users/{name}")
async def show_user(name: Name, accounts: AccountsDep) -> UsageOut:
    """One user, the roles and the month."""
    return await accounts.database.read(
        lambda session: UsageOut.of(accounts.usage(session, users.get(session, name).id))
    )


@router.put("/users/{name}/roles")
async def set_roles(name: Name, wanted: RolesIn, accounts: AccountsDep) -> UsageOut:
    """Give a user these roles and no others; the last admin keeps that role."""
    return await _changed(accounts, lambda session: users.set_roles(session, name, wanted.roles))


@router.put("/users/{name}/limit")
async def set_limit(name: Name, wanted: LimitIn, accounts: AccountsDep) -> UsageOut:
    """Give a user a limit of its own, or none of its own; it holds within a second."""
    return await _changed(accounts, lambda session: users.set_limit(session, name, wanted.monthly_limit))


@router.delete("/users/{name}/logins")
async def close_logins(name: Name, accounts: AccountsDep) -> ClosedOut:
    """End every login of a user, at once."""

    def close(session: Session) -> tuple[int, int]:
        user_id = users.get(session, name).id
        return user_id, logins.close_logins(session, user_id)

    user_id, closed = await accounts.database.write(close)
    accounts.gatekeeper.forget(user_id)
    return ClosedOut(closed=closed)


@router.delete("/users/{name}/tokens", status_code=status.HTTP_204_NO_CONTENT)
async def revoke_tokens(name: Name, accounts: AccountsDep) -> None:
    """Revoke a user's API token: at once here, within a second in other processes."""

    def revoked(session: Session) -> User:
        user = users.get(session, name)
        tokens.revoke(session, user.id)
        return user

    await _changed(accounts, revoked)


@router.get("/roles")
async def list_plans(accounts: AccountsDep) -> list[PlanOut]:
    """The roles, and the calls a month that come with each."""
    plans = await accounts.database.read(users.roles)
    return [PlanOut(role=plan.name, monthly_limit=plan.monthly_limit) for plan in plans]


@router.put("/roles/{role}/limit")
async def set_plan(role: RoleName, wanted: LimitIn, accounts: AccountsDep) -> PlanOut:
    """Give a role a limit, or that of the settings; it holds within a second for whoever has none of its own."""
    plan = await accounts.database.write(lambda session: users.set_plan(session, role, wanted.monthly_limit))
    return PlanOut(role=plan.name, monthly_limit=plan.monthly_limit)


async def _changed(accounts: Accounts, change: Callable[[Session], User]) -> UsageOut:
    def work(session: Session) -> tuple[int, UsageOut]:
        user = change(session)
        session.flush()
        return user.id, UsageOut.of(accounts.usage(session, user.id))

    user_id, month = await accounts.database.write(work)
    accounts.gatekeeper.forget(user_id)
    return month
