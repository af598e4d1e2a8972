"""Registering, logging in and the API token, over HTTP."""

import asyncio
import logging
from datetime import UTC, datetime

import pytest
from argon2 import PasswordHasher, extract_parameters
from sqlalchemy import text

from accounts_site import PASSWORD, Clock, Site, site
from serving.accounts.errors import UnauthorizedError

pytestmark = pytest.mark.anyio


async def stored(of: Site, table: str) -> list[dict[str, object]]:
    query = text(f"SELECT * FROM {table}")
    return await of.accounts.database.read(lambda session: [dict(row) for row in session.execute(query).mappings()])


async def test_registering_gives_a_member_with_a_token_and_a_row_of_consumption(
    database_url: str, clock: Clock
) -> None:
    async with site(database_url, clock) as http:
        answer = await http.register("Ada")
        assert answer.status_code == 201
        assert answer.json().keys() == {"name", "roles", "login_token", "expires_at", "api_token"}
        assert (answer.json()["name"], answer.json()["roles"]) == ("ada", ["member"])
        assert [row["used"] for row in await stored(http, "user_api_consumptions")] == [0]
        assert (await http.accounts.gatekeeper.admit(answer.json()["api_token"])).limit == 1000


async def test_an_answer_with_a_token_is_never_stored_on_the_way(sqlite_url: str, clock: Clock) -> None:
    async with site(sqlite_url, clock) as http:
        registered = await http.register("ada")
        rotated = await http.ask("POST", "/tokens/rotate", registered.json()["login_token"])
        for answer in (registered, rotated, await http.log_in("ada")):
            assert answer.headers["cache-control"] == "no-store"


async def test_a_name_is_taken_in_any_case(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        await http.register("ada")
        answer = await http.register(" ADA ")
        assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")


async def test_a_name_that_is_taken_between_check_and_write_is_taken(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        answers = await asyncio.gather(*(http.register("ada") for _ in range(6)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]


@pytest.mark.parametrize("name", ["", "ab", "-ada", "a da", "ada\n", "a" * 65, "ada\0", "<script>", "ädå", "😀😀😀"])
async def test_a_name_that_is_none_is_refused(sqlite_url: str, clock: Clock, name: str) -> None:
    async with site(sqlite_url, clock) as http:
        answer = await http.register(name)
        if name == "ada\n":
            assert answer.json()["name"] == "ada"
        else:
            assert answer.status_code == 422


@pytest.mark.parametrize("password", ["", "brief-pw", "aaaaaaaaaaaa", "ada-ada-ada-1", "x" * 129])
async def test_a_weak_or_endless_password_is_refused(sqlite_url: str, clock: Clock, password: str) -> None:
    async with site(sqlite_url, clock) as http:
        answer = await http.register("ada", password)
        assert answer.status_code == 422
        assert not password or password not in str(answer.json().get("message"))


async def test_an_unknown_name_is_offered_to_register(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        answer = await http.log_in("ada")
        assert (answer.status_code, answer.json()["code"]) == (401, "unknown_user")
        assert "register" in answer.json()["message"]


async def test_a_wrong_password_is_told_as_such(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        await http.register("ada")
        answer = await http.log_in("ada", "analytical-engine")
        assert (answer.status_code, answer.json()["code"]) == (401, "wrong_password")


async def test_an_unknown_name_costs_the_same_hashing_as_a_wrong_password(
    database_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    real = PasswordHasher.verify

    def noted(hasher: PasswordHasher, stored: str, password: str | bytes) -> bool:
        verified.append(stored)
        return bool(real(hasher, stored, password))

    monkeypatch.setattr(PasswordHasher, "verify", noted)
    async with site(database_url, clock) as http:
        await http.register("ada")
        for name in ("ada", "nobody"):
            assert (await http.log_in(name, "analytical-engine")).status_code == 401
    wrong, unknown = verified
    assert extract_parameters(unknown) == extract_parameters(wrong)


async def test_a_password_typed_on_another_keyboard_is_the_same(sqlite_url: str, clock: Clock) -> None:
    async with site(sqlite_url, clock) as http:
        await http.register("ada", "cafe\u0301-noir-1843")
        assert (await http.log_in("ada", "caf\u00e9-noir-1843")).status_code == 200


async def test_a_login_lasts_ten_days(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        await http.register("ada")
        login = (await http.log_in("ADA")).json()
        assert datetime.fromisoformat(login["expires_at"]) == datetime(2026, 1, 25, 12, tzinfo=UTC)
        clock.now = datetime(2026, 1, 25, 11, 59, 59, tzinfo=UTC)
        assert (await http.ask("GET", "/me", login["login_token"])).status_code == 200
        clock.go(seconds=1)
        assert (await http.ask("GET", "/me", login["login_token"])).status_code == 401


async def test_logging_out_ends_one_login(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        one = (await http.register("ada")).json()["login_token"]
        other = (await http.log_in("ada")).json()["login_token"]
        assert (await http.ask("POST", "/logout", one)).status_code == 204
        assert (await http.ask("GET", "/me", one)).status_code == 401
        assert (await http.ask("GET", "/me", other)).status_code == 200


async def test_logging_out_everywhere_ends_every_login_of_the_user_alone(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        grace = (await http.register("grace")).json()["login_token"]
        one = (await http.register("ada")).json()["login_token"]
        other = (await http.log_in("ada")).json()["login_token"]
        assert (await http.ask("DELETE", "/logins", one)).status_code == 204
        assert [(await http.ask("GET", "/me", token)).status_code for token in (one, other, grace)] == [401, 401, 200]


async def test_a_login_that_ended_elsewhere_is_dead_at_once(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as one, site(database_url, clock) as other:
        login = (await one.register("ada")).json()["login_token"]
        assert (await other.ask("GET", "/me", login)).status_code == 200
        await one.ask("POST", "/logout", login)
        assert (await other.ask("GET", "/me", login)).status_code == 401


async def test_me_tells_what_was_used_exactly_while_a_block_is_out(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        token = (await http.register("ada")).json()["api_token"]
        for _ in range(3):
            await http.accounts.gatekeeper.admit(token)
        assert (await http.ask("GET", "/me", token)).json() == {
            "name": "ada",
            "roles": ["member"],
            "used": 3,
            "limit": 1000,
            "remaining": 997,
            "reset_at": "2026-02-01T00:00:00Z",
        }


async def test_rotating_shows_a_new_token_and_ends_the_old_one(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        user = (await http.register("ada")).json()
        new = (await http.ask("POST", "/tokens/rotate", user["login_token"])).json()["api_token"]
        assert (await http.ask("GET", "/me", new)).status_code == 200
        assert (await http.ask("GET", "/me", user["api_token"])).status_code == 401
        with pytest.raises(UnauthorizedError):
            await http.accounts.gatekeeper.admit(user["api_token"])


async def test_a_revoked_token_is_replaced_by_none(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        user = (await http.register("ada")).json()
        assert (await http.ask("DELETE", "/tokens", user["login_token"])).status_code == 204
        assert await stored(http, "api_tokens") == []
        assert (await http.ask("GET", "/me", user["api_token"])).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/logout"), ("POST", "/tokens/rotate"), ("DELETE", "/tokens"), ("DELETE", "/logins")]
)
async def test_an_api_token_does_not_manage_the_account(sqlite_url: str, clock: Clock, method: str, path: str) -> None:
    async with site(sqlite_url, clock) as http:
        token = (await http.register("ada")).json()["api_token"]
        assert (await http.ask(method, path, token)).status_code == 403
        assert (await http.ask(method, path)).status_code == 401
        assert (await http.ask(method, path, "mul_" + "a" * 43)).status_code == 401


async def test_nothing_that_was_shown_once_is_stored_or_logged(
    database_url: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with site(database_url, clock) as http:
        user = (await http.register("ada")).json()
        await http.log_in("ada", "analytical-engine")
        await http.log_in("ada")
        await http.ask("GET", "/me", user["api_token"])
        tables = [str(await stored(http, table)) for table in ("users", "api_tokens", "logins", "attempts")]
    kept = caplog.text + "".join(tables)
    for secret in (PASSWORD, "analytical-engine", user["api_token"], user["login_token"]):
        assert secret not in kept


async def test_ten_wrong_passwords_close_the_door_for_fifteen_minutes(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        await http.register("ada")
        wrong = [(await http.log_in("ada", "analytical-engine")).status_code for _ in range(11)]
        assert wrong == [401] * 10 + [429]
        refused = await http.log_in("ada")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "900")
        clock.go(minutes=15)
        assert (await http.log_in("ada")).status_code == 200


async def test_attempts_at_once_get_no_more_than_attempts_in_a_row(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        await http.register("ada")
        answers = await asyncio.gather(*(http.log_in("ada", "analytical-engine") for _ in range(25)))
        assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 15


async def test_attempts_are_counted_over_all_processes(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as one, site(database_url, clock) as other:
        await one.register("ada")
        for process in [one, other] * 5:
            await process.log_in("ada", "analytical-engine")
        assert (await other.log_in("ada")).status_code == 429


async def test_a_right_password_begins_the_count_anew(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        await http.register("ada")
        for _ in range(3):
            wrong = [(await http.log_in("ada", "analytical-engine")).status_code for _ in range(9)]
            assert {*wrong, (await http.log_in("ada")).status_code} == {401, 200}


async def test_an_address_that_tries_many_names_is_stopped(sqlite_url: str, clock: Clock) -> None:
    async with site(sqlite_url, clock, login_attempts=2) as http:
        tried = [(await http.log_in(f"name{number}")).json()["code"] for number in range(21)]
        assert tried == ["unknown_user"] * 20 + ["too_many_attempts"]


async def test_an_address_that_registers_many_is_stopped(sqlite_url: str, clock: Clock) -> None:
    async with site(sqlite_url, clock, registrations=3) as http:
        assert [(await http.register(f"name{number}")).status_code for number in range(4)] == [201, 201, 201, 429]


async def test_what_has_expired_is_swept_away(database_url: str, clock: Clock) -> None:
    async with site(database_url, clock) as http:
        await http.register("ada")
        await http.log_in("ada", "analytical-engine")
        clock.go(days=10)
        await http.accounts.database.write(http.accounts.forget_expired)
        assert (await stored(http, "logins"), await stored(http, "attempts")) == ([], [])


async def test_a_hash_made_with_other_parameters_is_renewed_at_login(sqlite_url: str, clock: Clock) -> None:
    async with site(sqlite_url, clock) as http:
        await http.register("ada")
    async with site(sqlite_url, clock, password_memory_kib=128) as http:
        assert (await http.log_in("ada")).status_code == 200
        assert "m=128,t=2,p=1" in str((await stored(http, "users"))[0]["password_hash"])
        assert (await http.log_in("ada")).status_code == 200


async def test_the_database_being_down_is_answered_503(clock: Clock, sqlite_url: str) -> None:
    async with site(sqlite_url, clock) as http:
        http.accounts.database.late()  # As after a time-out.
        me = await http.ask("GET", "/me", "mul_" + "a" * 43)
        for answer in (await http.register("ada"), await http.log_in("ada"), me):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
