"""Registration, logins and the API token, over HTTP."""

import asyncio
import json
import logging
import threading
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from sqlalchemy.orm import Session

from network import refusal
from serving.accounts import users
from serving.accounts.logins import Passwords, network_of
from serving.accounts.tables import User
from serving.accounts.tokens import open_login
from serving.errors import UnauthorizedError, UnavailableError
from serving.settings import Settings

from .conftest import ON_BOTH_DATABASES, PASSWORD, Client, Clock

pytestmark = pytest.mark.anyio

WRONG = "analytical-engine"
UNSTORABLE = ["ada\0", "ada\ud800"]


async def test_registering_adds_a_member_with_tokens_whose_usage_is_that_of_the_month(client: Client) -> None:
    response = await client.register("Ada")
    assert (response.status_code, response.headers["cache-control"]) == (201, "no-store")
    assert response.json().keys() == {"name", "roles", "login_token", "expires_at", "api_token"}
    assert (response.json()["name"], response.json()["roles"]) == ("ada", ["member"])
    assert [row["used"] for row in await client.rows("user_api_consumptions")] == [0]
    token = response.json()["api_token"]
    assert [(await client.accounts.admit(token)).limit for _ in range(3)] == [1000] * 3
    assert (await client.request("GET", "/me", token)).json() == {
        "name": "ada",
        "roles": ["member"],
        "used": 3,
        "limit": 1000,
        "remaining": 997,
        "in_flight": 97,
        "reset_at": "2026-02-01T00:00:00Z",
    }


@ON_BOTH_DATABASES
async def test_concurrent_registrations_of_one_name_add_one_user(client: Client) -> None:
    responses = await asyncio.gather(
        *(client.register(name) for name in ("ada", " ADA ", "Ada", "ada", "ADA\n", "ａｄａ"))
    )
    assert sorted(response.status_code for response in responses) == [201, 409, 409, 409, 409, 409]


@pytest.mark.parametrize(
    ("registered", "typed"), [("Ada.L", "ａｄａ．Ｌ"), ("ａｄａ．Ｌ", "ADA.L"), (" ada.l", "ada.l\t")]
)
async def test_a_name_is_normalized_everywhere_alike(client: Client, registered: str, typed: str) -> None:
    admin = (await client.register_admin())["login_token"]
    assert (await client.register(registered)).json()["name"] == "ada.l"
    assert (await client.log_in(typed)).json()["name"] == "ada.l"
    found = await client.request("GET", "/admin/users", admin, params={"search": typed})
    assert [user["name"] for user in found.json()["users"]] == ["ada.l"]
    assert (await client.request("GET", f"/admin/users/{quote(typed)}", admin)).json()["name"] == "ada.l"


@pytest.mark.parametrize("name", ["", "ab", "-ada", "a da", "a" * 65, "<script>", "ädå", "😀😀😀", *UNSTORABLE])
async def test_an_invalid_name_is_refused(client: Client, name: str) -> None:
    body = f'{{"name": "{name.encode("unicode_escape").decode()}", "password": "{PASSWORD}"}}'
    body = body.replace("\\x", "\\u00").replace("\\U0001f600", "😀")
    for path in ("/register", "/login"):
        response = await client.request("POST", path, content=body.encode())
        assert response.status_code == 422, path


@pytest.mark.parametrize(
    ("name", "password", "status", "code", "reason"),
    [
        ("ada", PASSWORD, 401, "unknown_user", "register"),
        ("ada", "brief-pw", 422, "invalid_account", "cannot be registered: the password is too short"),
        ("ada", "ada-ada-ada", 422, "invalid_account", "easily guessed"),
        ("a da", PASSWORD, 422, "invalid_account", "cannot be registered: the name is not valid"),
        ("grace", WRONG, 401, "wrong_password", "correct it"),
    ],
)
async def test_registration_is_offered_only_for_credentials_that_it_accepts(
    client: Client, name: str, password: str, status: int, code: str, reason: str
) -> None:
    await client.register("grace")
    response = await client.log_in(name, password)
    assert refusal(response) == (status, code)
    assert reason in response.text
    registered = {"unknown_user": 201, "invalid_account": 422, "wrong_password": 409}
    assert (await client.register(name, password)).status_code == registered[code]


async def test_an_unknown_name_costs_the_same_hashing_as_a_wrong_password(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    verify = PasswordHasher.verify

    def record(hasher: PasswordHasher, stored: str, password: str | bytes) -> bool:
        verified.append(stored)
        return bool(verify(hasher, stored, password))

    monkeypatch.setattr(PasswordHasher, "verify", record)
    await client.register()
    for name in ("ada", "nobody", "-"):
        assert (await client.log_in(name, WRONG)).status_code in (401, 422)
    wrong, *unknown = map(extract_parameters, verified)
    assert unknown == [wrong, wrong]


async def test_hashes_are_argon2id_with_owasps_parameters_and_more_than_can_wait_are_refused() -> None:
    used = extract_parameters(await Passwords(Settings()).hash(PASSWORD))
    assert (used.type, used.memory_cost, used.time_cost, used.parallelism) == (Type.ID, 19_456, 2, 1)
    passwords = Passwords(Settings(password_memory_kib=64))
    hashes = await asyncio.gather(*(passwords.hash(PASSWORD) for _ in range(50)), return_exceptions=True)
    assert sum(isinstance(each, UnavailableError) for each in hashes) == 50 - 2 * (1 + 16)
    assert await passwords.hash(PASSWORD)


async def test_a_login_lasts_ten_days_and_what_has_expired_is_deleted(client: Client, clock: Clock) -> None:
    await client.register()
    response = await client.log_in("ADA")
    assert response.headers["cache-control"] == "no-store"
    login = response.json()
    assert datetime.fromisoformat(login["expires_at"]) == datetime(2026, 1, 25, 12, tzinfo=UTC)
    clock.advance(days=10, seconds=-1)
    assert (await client.request("GET", "/me", login["login_token"])).status_code == 200
    await client.accounts.admit(login["login_token"])
    clock.advance(seconds=1)
    assert (await client.request("GET", "/me", login["login_token"])).status_code == 401
    with pytest.raises(UnauthorizedError, match="expired"):
        await client.accounts.admit(login["login_token"])
    await client.log_in(password=WRONG)
    clock.advance(days=10)
    await client.accounts.delete_expired()
    assert (await client.rows("logins"), await client.rows("attempts")) == ([], [])


@pytest.mark.parametrize(("method", "path", "other_status"), [("POST", "/logout", 200), ("DELETE", "/logins", 401)])
async def test_logging_out_ends_one_or_all_logins_of_the_user(
    client: Client, method: str, path: str, other_status: int
) -> None:
    grace = (await client.register("grace")).json()["login_token"]
    one = (await client.register()).json()["login_token"]
    other = (await client.log_in()).json()["login_token"]
    assert (await client.request(method, path, one)).status_code == 204
    statuses = [(await client.request("GET", "/me", token)).status_code for token in (one, other, grace)]
    assert statuses == [401, other_status, 200]


async def test_a_new_password_ends_all_logins_but_the_one_that_it_gives(client: Client) -> None:
    tokens, other = (await client.register()).json(), (await client.log_in()).json()["login_token"]
    body = {"password": PASSWORD, "new_password": "analytical-engine"}

    wrong = await client.request("PUT", "/me/password", other, json=body | {"password": "difference-engine"})
    weak = await client.request("PUT", "/me/password", other, json=body | {"new_password": "adaadaadaada"})
    login = await client.request("PUT", "/me/password", other, json=body)

    assert (refusal(wrong), refusal(weak)) == ((401, "wrong_password"), (422, "invalid_account"))
    assert login.headers["cache-control"] == "no-store"
    for token in (tokens["login_token"], other):
        assert (await client.request("GET", "/me", token)).status_code == 401
    for token in (login.json()["login_token"], tokens["api_token"]):
        assert (await client.request("GET", "/me", token)).status_code == 200
    assert (await client.log_in()).status_code == 401
    assert (await client.log_in(password="analytical-engine")).status_code == 200


async def test_a_token_of_an_admin_sets_a_new_password_once_and_within_a_day(client: Client, clock: Clock) -> None:
    root, ada = (await client.register_admin())["login_token"], (await client.register()).json()["login_token"]

    async def offer() -> str:
        response = await client.request("POST", "/admin/users/ada/password-reset", root)
        return response.json()["reset_token"]

    async def use(token: str, password: str = WRONG) -> httpx.Response:
        return await client.request("POST", "/password-reset", json={"reset_token": token, "new_password": password})

    expired = await offer()
    clock.advance(hours=25)
    token, second = await offer(), await offer()
    assert [(await use(each)).status_code for each in (expired, ada, "mup_", "a\0")] == [422] * 4
    assert (await client.request("GET", "/me", token)).status_code == 401, "it is no login"
    assert (await use(token, "short")).json()["code"] == "invalid_account"
    login = await use(token)
    assert (await client.request("GET", "/me", login.json()["login_token"])).json()["name"] == "ada"
    assert [(await client.request("GET", "/me", ada)).status_code, (await use(token)).status_code] == [401, 422]
    assert (await use(second)).status_code == 422, "a new password ends the other links, too"
    assert [(await client.log_in()).status_code, (await client.log_in(password=WRONG)).status_code] == [401, 200]


async def test_a_damaged_token_of_an_admin_is_refused(client: Client) -> None:
    body = rb'{"reset_token": "mup_\ud800", "new_password": "analytical-engine"}'
    response = await client.request("POST", "/password-reset", content=body)

    assert refusal(response) == (422, "invalid_request")


async def test_an_account_is_exported_without_hashes_and_deleted_but_for_the_calls_of_the_month(
    client: Client, clock: Clock
) -> None:
    tokens = (await client.register()).json()
    await client.accounts.quota.close()
    login = tokens["login_token"]

    data = (await client.request("GET", "/me/data", login)).json()
    assert (data["name"], data["roles"], data["monthly_limit"]) == ("ada", ["member"], None)
    assert data["created_at"] == data["api_tokens"][0] == data["logins"][0]["created_at"] == "2026-01-15T12:00:00Z"
    assert data["calls"] == {"2026-01-01": 0}
    assert "hash" not in json.dumps(data)

    wrong = await client.request("POST", "/me/deletion", login, json={"password": "difference-engine"})
    gone = await client.request("POST", "/me/deletion", login, json={"password": PASSWORD})

    assert (wrong.status_code, gone.status_code) == (401, 204)
    for token in (login, tokens["api_token"]):
        assert (await client.request("GET", "/me", token)).status_code == 401
    (user,) = await client.rows("users")
    assert user["name"].startswith("deleted-")
    assert "argon2" not in user["password_hash"]
    assert [len(await client.rows(table)) for table in ("logins", "api_tokens", "user_roles")] == [0, 0, 0]
    assert [row["user_id"] for row in await client.rows("user_api_consumptions")] == [user["id"]]
    assert (await client.register()).status_code == 201
    clock.advance(days=40)
    await client.accounts.delete_expired()
    assert [row["name"] for row in await client.rows("users")] == ["ada"]


@ON_BOTH_DATABASES
@pytest.mark.parametrize("change", ["password", "deletion"])
async def test_a_login_that_a_new_password_or_a_deletion_overtakes_is_refused_and_undoes_nothing(
    client: Client, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = (await client.register()).json()["login_token"]
    verify, verified, goes_on = Passwords.verify, asyncio.Event(), asyncio.Event()

    async def verify_and_wait(passwords: Passwords, stored: str | None, password: str) -> bool:
        is_right = await verify(passwords, stored, password)
        verified.set()
        await goes_on.wait()
        return is_right

    monkeypatch.setattr(Passwords, "verify", verify_and_wait)
    entering = asyncio.create_task(client.log_in())
    await verified.wait()
    monkeypatch.setattr(Passwords, "verify", verify)
    if change == "password":
        body = {"password": PASSWORD, "new_password": WRONG}
        changed = await client.request("PUT", "/me/password", login, json=body)
    else:
        changed = await client.request("POST", "/me/deletion", login, json={"password": PASSWORD})
    assert changed.is_success
    before = await client.rows("logins"), await client.rows("users")
    goes_on.set()

    assert refusal(await entering) == (401, "wrong_password")
    assert (await client.rows("logins"), await client.rows("users")) == before


async def test_a_deletion_waits_for_a_login_and_ends_it(client: Client) -> None:
    await client.register()
    database, locked, goes_on = client.accounts.database, threading.Event(), threading.Event()

    def enter(session: Session) -> None:
        user = session.get_one(User, 1, with_for_update=True)
        locked.set()
        goes_on.wait(60)
        open_login(session, user.id, client.accounts.clock(), client.accounts.clock())

    entering = database.start(enter)
    await asyncio.to_thread(locked.wait, 60)
    deleting = database.start(lambda session: users.anonymize(session, "ada"))
    await asyncio.sleep(0.5)  # It has deleted the logins, unless it waits for the user.
    goes_on.set()
    await asyncio.gather(entering, deleting)

    assert await client.rows("logins") == []


async def test_a_rotated_or_revoked_token_is_refused(client: Client) -> None:
    user = (await client.register()).json()
    rotated = await client.request("POST", "/tokens/rotate", user["login_token"])
    assert rotated.headers["cache-control"] == "no-store"
    new = rotated.json()["api_token"]
    assert (await client.request("GET", "/me", new)).status_code == 200
    assert (await client.request("GET", "/me", user["api_token"])).status_code == 401
    with pytest.raises(UnauthorizedError):
        await client.accounts.admit(user["api_token"])
    assert (await client.request("DELETE", "/tokens", user["login_token"])).status_code == 204
    assert (await client.request("GET", "/me", new)).status_code == 401
    assert await client.rows("api_tokens") == []


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/logout"), ("POST", "/tokens/rotate"), ("DELETE", "/tokens"), ("DELETE", "/logins")]
)
async def test_an_api_token_does_not_manage_the_account(client: Client, method: str, path: str) -> None:
    token = (await client.register()).json()["api_token"]
    tokens = [token, None, "mul_" + "a" * 43, "mul_\0"]
    assert [(await client.request(method, path, each)).status_code for each in tokens] == [403, 401, 401, 401]


async def test_no_secret_is_stored_or_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    user = (await client.register()).json()
    await client.log_in(password=WRONG)
    await client.log_in()
    await client.request("GET", "/me", user["api_token"])
    tables = [str(await client.rows(table)) for table in ("users", "api_tokens", "logins", "attempts")]
    for secret in (PASSWORD, WRONG, user["api_token"], user["login_token"]):
        assert secret not in caplog.text + "".join(tables)


@ON_BOTH_DATABASES
async def test_concurrent_failures_in_all_processes_close_the_login_for_fifteen_minutes(
    open_client, database_url: str, clock: Clock
) -> None:
    one, other = await open_client(database_url), await open_client(database_url)
    await one.register()
    responses = await asyncio.gather(*(client.log_in(password=WRONG) for client in [one, other] * 8))
    assert sorted(response.status_code for response in responses) == [401] * 10 + [429] * 6
    refused = await other.log_in()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "900")
    clock.advance(minutes=15)
    assert (await other.log_in()).status_code == 200


async def test_a_successful_login_normalizes_the_password_and_resets_the_count(client: Client) -> None:
    await client.register("ada", "cafe\u0301-noir-1843")
    for _ in range(3):
        failed = {(await client.log_in(password=WRONG)).status_code for _ in range(9)}
        assert (failed, (await client.log_in("ada", "caf\u00e9-noir-1843")).status_code) == ({401}, 200)


async def test_an_address_is_limited_over_all_names(open_client, database_url: str) -> None:
    client = await open_client(database_url, login_attempts=2, registrations=3)
    codes = [refusal(await client.log_in(f"name{number}"))[1] for number in range(21)]
    assert codes == ["unknown_user"] * 20 + ["too_many_attempts"]
    assert [(await client.register(f"name{number}")).status_code for number in range(4)] == [201, 201, 201, 429]


def test_an_ipv6_user_is_limited_by_network() -> None:
    networks = {
        "192.0.2.7": "192.0.2.7",
        "::ffff:192.0.2.7": "192.0.2.7",
        "unknown": "unknown",
        "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
        "fe80::1%eth0": "fe80::/64",
    }
    assert {address: network_of(address) for address in networks} == networks


async def test_an_outdated_hash_is_replaced_at_login(open_client, database_url: str) -> None:
    await (await open_client(database_url)).register()
    client = await open_client(database_url, password_memory_kib=128)
    assert (await client.log_in()).status_code == 200
    assert "m=128,t=2,p=1" in (await client.rows("users"))[0]["password_hash"]
    assert (await client.log_in()).status_code == 200
