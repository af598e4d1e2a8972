"""``python -m serving.accounts``."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from network import free_port
from serving.accounts.__main__ import commands
from serving.accounts.database import REVISION

from .conftest import PASSWORD

REPOSITORY = Path(__file__).resolve().parents[3]


def run(url: str, *arguments: str, stdin: str = "") -> str:
    """What a command prints, or its error."""
    done = CliRunner().invoke(commands, arguments, input=stdin, env={"MAKE_US_RICH_DATABASE_URL": url})
    return str(done.exception) if done.exception else done.stdout


@pytest.mark.anyio
async def test_an_admin_is_added_once_with_a_piped_password(open_client, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/accounts.db"
    printed = run(url, "create-admin", "Ｒoot", stdin=f"{PASSWORD}\n")
    assert "the name is taken" in run(url, "create-admin", "root", stdin=PASSWORD)
    client = await open_client(url)
    assert (await client.log_in("root")).json()["roles"] == ["admin", "member"]
    token = re.findall(r"mur_[\w-]{43}", printed)[0]
    assert (await client.request("GET", "/me", token)).json()["name"] == "root"


@pytest.mark.anyio
async def test_renewing_the_demo_changes_its_password_and_ends_its_logins(open_client, sqlite_url: str) -> None:
    client = await open_client(sqlite_url)
    name, password = run(sqlite_url, "renew-demo").split()
    login = (await client.log_in(name, password)).json()
    assert (name, login["roles"]) == ("demo", ["admin", "member"])
    _, renewed = run(sqlite_url, "renew-demo").split()
    assert (await client.request("GET", "/me", login["login_token"])).status_code == 401
    assert [(await client.log_in(name, each)).status_code for each in (password, renewed)] == [401, 200]


@pytest.mark.parametrize(("name", "password"), [("r", PASSWORD), (os.fsdecode(b"root\xff"), PASSWORD), ("root", "")])
def test_a_wrong_name_or_password_is_refused_with_the_remedy(sqlite_url: str, name: str, password: str) -> None:
    remedy = "use 3 to 64 letters" if password else "use 10 to 128 characters"
    assert remedy in run(sqlite_url, "create-admin", name, stdin=password)


def test_migrating_creates_the_tables_of_a_server(empty_postgres_url: str) -> None:
    assert "run python -m serving.accounts migrate" in run(empty_postgres_url, "create-admin", "root", stdin=PASSWORD)
    assert run(empty_postgres_url, "migrate") == f"the tables are at revision {REVISION}\n"
    assert "root is an admin" in run(empty_postgres_url, "create-admin", "root", stdin=PASSWORD)


def test_a_database_that_cannot_be_used_is_one_line() -> None:
    url = f"postgresql://app@127.0.0.1:{free_port()}/accounts"
    assert "use sqlite or postgresql" in run("mysql://app@127.0.0.1/accounts", "migrate")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "MAKE_US_RICH_DATABASE_URL": url}
    command = [sys.executable, "-m", "serving.accounts", "migrate"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    expected = "python -m serving.accounts: the accounts database does not answer; try again in a moment"
    assert done.stderr.splitlines()[-1] == expected
    assert "Traceback" not in done.stderr
