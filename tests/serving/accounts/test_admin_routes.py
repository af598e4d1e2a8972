"""Endpoints for admins: users, roles, limits, consumption."""

import pytest
from fastapi.routing import APIRoute

from network import refusal
from serving.routes import admin

from .conftest import PASSWORD, Client

pytestmark = pytest.mark.anyio


async def test_every_name_is_looked_up_or_refused(client: Client) -> None:
    root = (await client.register_admin())["login_token"]
    bodies = {"roles": {"roles": ["admin"]}, "limit": {"monthly_limit": 5}}
    for route in (each for each in admin.router.routes if isinstance(each, APIRoute) and "{name}" in each.path):
        body = bodies.get(route.path.rsplit("/", 1)[1]) if "PUT" in route.methods else None
        for name, expected in [("nobody", 404), ("%E2%80%8B", 404), ("a%00b", 422), ("%00", 422)]:
            path = route.path.replace("{name}", name)
            response = await client.request(*route.methods, path, root, json=body)
            assert response.status_code == expected, (path, name)
    for query in ("search=%00", "after=a%00", "search=" + "a" * 201, "size=0"):
        assert (await client.request("GET", f"/admin/users?{query}", root)).status_code == 422, query


async def test_the_last_admin_keeps_the_role_and_the_account(client: Client) -> None:
    root = (await client.register_admin())["login_token"]
    for method, path, body in (
        ("PUT", "/admin/users/root/roles", {"roles": ["member"]}),
        ("POST", "/me/deletion", {"password": PASSWORD}),
    ):
        assert refusal(await client.request(method, path, root, json=body)) == (409, "last_admin")
    assert (await client.request("GET", "/admin/users", root)).status_code == 200


async def test_users_are_found_by_part_of_a_name_in_pages_with_their_usage(client: Client) -> None:
    root = (await client.register_admin())["login_token"]
    token = (await client.register()).json()["api_token"]
    await client.register("grace")
    await client.accounts.admit(token)
    first = (await client.request("GET", "/admin/users?size=2", root)).json()
    rest = (await client.request("GET", f"/admin/users?size=2&after={first['next_after']}", root)).json()
    assert [user["name"] for user in first["users"] + rest["users"]] == ["ada", "grace", "root"]
    assert rest["next_after"] is None
    assert (first["users"][0]["used"], first["users"][0]["in_flight"]) == (1, 99)
    assert rest["users"][0]["roles"] == ["admin", "member"]
    for search, found in [("a", ["ada", "grace"]), ("RA", ["grace"]), ("_", []), ("%", [])]:
        response = await client.request("GET", "/admin/users", root, params={"search": search})
        assert [user["name"] for user in response.json()["users"]] == found


async def test_consumption_is_the_sum_of_all_users(open_client, database_url: str) -> None:
    client = await open_client(database_url, block_calls=1)
    root = (await client.register_admin())["login_token"]
    for name in ("ada", "grace"):
        await client.accounts.admit((await client.register(name)).json()["api_token"])
    await client.accounts.quota.close()
    assert (await client.request("GET", "/admin/consumption", root)).json() == {"users": 3, "used": 2}


async def test_a_limit_of_a_user_or_role_is_set_and_removed(client: Client) -> None:
    root = (await client.register_admin())["login_token"]
    token = (await client.register()).json()["api_token"]
    for limit, expected in [(7, 7), (None, 1000)]:
        response = await client.request("PUT", "/admin/users/ada/limit", root, json={"monthly_limit": limit})
        assert response.json()["limit"] == expected
        assert (await client.accounts.admit(token)).limit == expected
    response = await client.request("PUT", "/admin/roles/member/limit", root, json={"monthly_limit": 12})
    assert response.json() == {"role": "member", "monthly_limit": 12}
    client.accounts.authenticator.forget(2)
    assert (await client.accounts.admit(token)).limit == 12
    for invalid in (-1, 2_000_000_001, "many", 1.5):
        response = await client.request("PUT", "/admin/users/ada/limit", root, json={"monthly_limit": invalid})
        assert response.status_code == 422
