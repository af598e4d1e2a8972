"""Back up, wipe, restore: the same accounts, on either kind of database and from one to the other."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from accounts_site import PASSWORD, Clock, site
from serving.accounts.backup import TABLES
from serving.accounts.database import make_engine
from serving.accounts.settings import AccountsSettings

REPO = Path(__file__).resolve().parents[3]


def run(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(REPO), "MAKE_US_RICH_DATABASE_URL": url}
    command = [sys.executable, "-m", "serving.accounts", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def wipe(url: str) -> None:
    """Every table is gone."""
    engine = make_engine(AccountsSettings(database_url=url))
    with engine.begin() as connection:
        for name in [*(table.name for table in reversed(TABLES)), "alembic_version"]:
            connection.execute(text(f"DROP TABLE {name}"))
    engine.dispose()


@pytest.mark.anyio
async def test_accounts_tokens_and_quotas_come_back_after_a_wipe(
    database_url: str, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / "accounts.json"
    async with site(database_url, clock) as http:
        token = (await http.register("ada")).json()["api_token"]
        before = (await http.ask("GET", "/me", token)).json()
    backup = run(database_url, "backup", str(file))
    assert backup.returncode == 0, backup.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    wipe(database_url)
    restored = run(database_url, "restore", str(file))

    assert restored.stdout == "1 users are back\n", restored.stderr
    async with site(database_url, clock) as http:
        assert (await http.ask("GET", "/me", token)).json() == before
        assert (await http.log_in("ada")).status_code == 200
        assert (await http.register("grace")).status_code == 201, "the next user has a number of its own"


@pytest.mark.anyio
async def test_accounts_move_from_sqlite_to_postgresql(
    sqlite_url: str, empty_postgres_url: str, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / "accounts.json"
    async with site(sqlite_url, clock) as http:
        token = (await http.register("ada")).json()["api_token"]
    assert run(sqlite_url, "backup", str(file)).returncode == 0

    assert run(empty_postgres_url, "restore", str(file)).returncode == 0

    async with site(empty_postgres_url, clock) as http:
        assert (await http.ask("GET", "/me", token)).json()["name"] == "ada"
        assert (await http.log_in("ada", PASSWORD)).status_code == 200


@pytest.mark.anyio
async def test_accounts_that_are_there_go_only_when_that_is_asked_for(
    sqlite_url: str, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / "accounts.json"
    assert run(sqlite_url, "backup", str(file)).returncode == 0
    async with site(sqlite_url, clock) as http:
        await http.register("ada")

    refused = run(sqlite_url, "restore", str(file))
    assert refused.returncode == 1
    assert "--replace lets the backup take their place" in refused.stderr

    assert run(sqlite_url, "restore", "--replace", str(file)).stdout == "0 users are back\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [("{", "it is no whole backup"), (json.dumps({"revision": "0000"}), "of revision 0000, not")],
)
def test_what_is_no_backup_of_this_release_is_refused(sqlite_url: str, tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "accounts.json"
    file.write_text(content)

    refused = run(sqlite_url, "restore", str(file))

    assert refused.returncode == 1
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr
