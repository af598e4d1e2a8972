"""What admins may do, and nobody else."""

from urllib.parse import quote

import pytest
from argon2 import PasswordHasher
from fastapi.routing import APIRoute

from accounts_site import PASSWORD, Clock, Site, site
from serving.accounts.tables import ADMIN, MEMBER
from serving.accounts.users import NewUser, add
from serving.routes.admin import router

pytestmark = pytest.mark.anyio

ENDPOINTS = [(method, route.path) for route in router.routes if isinstance(route, APIRoute) for method in route.methods]
BODIES = {"roles": {"roles": ["admin"]}, "limit": {"monthly_limit": 5}}


async def admin_of(http: Site) -> dict[str, str]:
    """An admin's tokens."""
    made = NewUser("root", PasswordHasher(2, 64, 1).hash(PASSWORD), (ADMIN, MEMBER))
    _, token = await http.accounts.database.write(lambda session: add(session, made, http.accounts.clock()))
    return {"api": token, "login": (await http.log_in("root")).json()["login_token"]}


async def ask(http: Site, method: str, path: str, token: str | None) -> int:
    body = BODIES.get(path.rsplit("/", 1)[1]) if method == "PUT" else None
    known = path.replace("{name}", "grace").replace("{role}", "member")
    return (await http.ask(method, known, token, json=body)).status_code


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
async def test_every_endpoint_is_for_logins_of_admins_alone(
    sqlite_url: str, clock: Clock, method: str, path: str
) -> None:
    async with site(sqlite_url, clock) as http:
        admin = await admin_of(http)
        await http.register("grace")
        member = (await http.register("ada")).json()
        tokens = [None, "mul_" + "a" * 43, member["api_token"], member["login_token"], admin["api"]]
        assert [await ask(http, method, path, token) for token in tokens] == [401, 401, 403, 403, 403]
        assert await ask(http, method, path, admin["login"]) in (200, 204)


def test_there_are_endpoints() -> None:
    assert len(ENDPOINTS) >= 9


async def test_a_role_that_is_taken_away_is_gone_at_once(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        admin = await admin_of(http)
        ada = (await http.register("ada")).json()["login_token"]
        await http.ask("PUT", "/admin/users/ada/roles", admin["login"], json={"roles": ["admin"]})
        assert (await http.ask("GET", "/admin/users", ada)).status_code == 200
        await http.ask("PUT", "/admin/users/ada/roles", admin["login"], json={"roles": ["member"]})
        assert (await http.ask("GET", "/admin/users", ada)).status_code == 403


async def test_the_last_admin_stays(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        admin = (await admin_of(http))["login"]
        answer = await http.ask("PUT", "/admin/users/root/roles", admin, json={"roles": ["member"]})
        assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
        assert (await http.ask("GET", "/admin/users", admin)).status_code == 200


async def test_users_are_listed_by_name_in_pages_with_their_month(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        admin = (await admin_of(http))["login"]
        token = (await http.register("ada")).json()["api_token"]
        await http.register("grace")
        await http.accounts.gatekeeper.admit(token)
        first = (await http.ask("GET", "/admin/users?size=2", admin)).json()
        rest = (await http.ask("GET", f"/admin/users?size=2&after={first['next_after']}", admin)).json()
        assert [user["name"] for user in first["users"] + rest["users"]] == ["ada", "grace", "root"]
        assert rest["next_after"] is None
        assert first["users"][0]["used"] == 50  # With what the process has set aside.
        assert rest["users"][0]["roles"] == ["admin", "member"]


@pytest.mark.parametrize(("search", "found"), [("a", ["ada", "grace"]), ("RA", ["grace"]), ("_", []), ("%", [])])
async def test_users_are_found_by_part_of_a_name(
    database_url: str, clock: Clock, search: str, found: list[str]
) -> None:
    async with site(database_url, clock) as http:
        admin = (await admin_of(http))["login"]
        for name in ("ada", "grace"):
            await http.register(name)
        answer = (await http.ask("GET", f"/admin/users?search={quote(search)}", admin)).json()
        assert [user["name"] for user in answer["users"]] == found


async def test_consumption_is_the_sum_of_all_users(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock, block_calls=1) as http:
        admin = (await admin_of(http))["login"]
        for name in ("ada", "grace"):
            await http.accounts.gatekeeper.admit((await http.register(name)).json()["api_token"])
        await http.accounts.gatekeeper.close()
        assert (await http.ask("GET", "/admin/consumption", admin)).json() == {"users": 3, "used": 2}


async def test_a_limit_is_set_and_taken_back(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        admin = (await admin_of(http))["login"]
        token = (await http.register("ada")).json()["api_token"]
        for limit, expected in [(7, 7), (None, 1000)]:
            await http.ask("PUT", "/admin/users/ada/limit", admin, json={"monthly_limit": limit})
            assert (await http.accounts.gatekeeper.admit(token)).limit == expected


async def test_a_plan_holds_for_everybody_with_the_role(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        admin = (await admin_of(http))["login"]
        token = (await http.register("ada")).json()["api_token"]
        answer = await http.ask("PUT", "/admin/roles/member/limit", admin, json={"monthly_limit": 12})
        assert answer.json() == {"role": "member", "monthly_limit": 12}
        assert (await http.accounts.gatekeeper.admit(token)).limit == 12


@pytest.mark.parametrize("limit", [-1, 2_000_000_001, "many", 1.5])
async def test_a_limit_that_is_none_is_refused(sqlite_url: str, clock: Clock, limit: object) -> None:
    async with site(sqlite_url, clock) as http:
        admin = (await admin_of(http))["login"]
        answer = await http.ask("PUT", "/admin/users/root/limit", admin, json={"monthly_limit": limit})
        assert answer.status_code == 422


async def test_logins_of_a_user_are_ended_at_once(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        admin = (await admin_of(http))["login"]
        ada = (await http.register("ada")).json()["login_token"]
        await http.log_in("ada")
        assert (await http.ask("DELETE", "/admin/users/ada/logins", admin)).json() == {"closed": 2}
        assert (await http.ask("GET", "/me", ada)).status_code == 401


async def test_a_users_token_is_revoked_at_once(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        admin = (await admin_of(http))["login"]
        token = (await http.register("ada")).json()["api_token"]
        await http.ask("DELETE", "/admin/users/ada/tokens", admin)
        assert (await http.ask("GET", "/me", token)).status_code == 401


@pytest.mark.parametrize(("method", "path"), [pair for pair in ENDPOINTS if "{name}" in pair[1]])
async def test_an_unknown_user_is_not_found(sqlite_url: str, clock: Clock, method: str, path: str) -> None:
    async with site(sqlite_url, clock) as http:
        admin = (await admin_of(http))["login"]
        assert await ask(http, method, path, admin) == 404


def test_a_new_user_is_shown_without_the_hash() -> None:
    assert "argon2" not in repr(NewUser("ada", "$argon2id$secret", ("member",)))
