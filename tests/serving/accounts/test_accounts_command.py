"""``python -m serving.accounts``."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from accounts_site import PASSWORD, Clock, site
from conftest import free_port

REPO = Path(__file__).resolve().parents[3]


def run(url: str, *arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(REPO), "MAKE_US_RICH_DATABASE_URL": url}
    command = [sys.executable, "-m", "serving.accounts", *arguments]
    return subprocess.run(command, env=environment, input=typed, capture_output=True, text=True, timeout=60)


@pytest.mark.anyio
async def test_an_admin_is_made_with_a_password_that_is_piped_in(database_url: str, clock: Clock) -> None:
    done = run(database_url, "create-admin", "Root", typed=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    async with site(database_url, clock) as http:
        login = (await http.log_in("root")).json()
        assert login["roles"] == ["admin", "member"]
        token = re.findall(r"mur_[\w-]{43}", done.stdout)[0]
        assert (await http.ask("GET", "/me", token)).json()["name"] == "root"


@pytest.mark.anyio
async def test_the_demo_has_another_password_each_time(database_url: str, clock: Clock) -> None:
    first, second = (run(database_url, "renew-demo").stdout.split() for _ in range(2))
    assert first[0] == second[0] == "demo"
    async with site(database_url, clock) as http:
        answers = [
            await http.ask("POST", "/login", json={"name": "demo", "password": each}) for each in (first[1], second[1])
        ]
        assert [answer.status_code for answer in answers] == [401, 200]
        assert answers[1].json()["roles"] == ["admin", "member"]


@pytest.mark.anyio
async def test_a_login_of_the_demo_ends_with_its_password(sqlite_url: str, clock: Clock) -> None:
    name, password = run(sqlite_url, "renew-demo").stdout.split()
    async with site(sqlite_url, clock) as http:
        login = (await http.log_in(name, password)).json()["login_token"]
        run(sqlite_url, "renew-demo")
        assert (await http.ask("GET", "/me", login)).status_code == 401


def test_an_embedded_database_is_made_for_the_first_admin(tmp_path: Path) -> None:
    done = run(f"sqlite:///{tmp_path}/accounts.db", "create-admin", "root", typed=f"{PASSWORD}\n")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "typed", "told"),
    [
        (["create-admin", "root"], "", "use 10 to 128 characters"),
        (["create-admin", "r"], PASSWORD, "use 3 to 64 letters"),
    ],
)
def test_a_mistake_is_told_in_one_line(sqlite_url: str, arguments: list[str], typed: str, told: str) -> None:
    done = run(sqlite_url, *arguments, typed=typed)
    assert done.returncode == 1
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_same_name_twice_is_told(sqlite_url: str) -> None:
    run(sqlite_url, "create-admin", "root", typed=PASSWORD)
    assert "the name is taken" in run(sqlite_url, "create-admin", "root", typed=PASSWORD).stderr


def test_migrating_makes_the_tables_of_a_server(empty_postgres_url: str) -> None:
    before = run(empty_postgres_url, "create-admin", "root", typed=PASSWORD)
    assert "run python -m serving.accounts migrate" in before.stderr
    assert run(empty_postgres_url, "migrate").stdout == "the tables are at revision 0001\n"
    assert run(empty_postgres_url, "create-admin", "root", typed=PASSWORD).returncode == 0


def test_a_server_that_is_down_is_told_in_one_line() -> None:
    done = run(f"postgresql://app@127.0.0.1:{free_port()}/accounts", "migrate")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("python -m serving.accounts: the accounts database does not answer")


def test_another_database_is_refused() -> None:
    assert "use sqlite or postgresql" in run("mysql://app@127.0.0.1/accounts", "migrate").stderr
