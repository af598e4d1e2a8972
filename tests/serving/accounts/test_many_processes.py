"""Four real processes and 64 clients on one quota; one of them may be killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from accounts_site import join, opened
from serving.accounts.accounts import now_utc
from serving.accounts.database import make_engine
from serving.accounts.settings import AccountsSettings

pytestmark = pytest.mark.anyio

PROGRAM = Path(__file__).with_name("calling_process.py")
REPO = Path(__file__).resolve().parents[3]
QUOTA = 1000
BLOCK = 50


async def new_token(url: str) -> str:
    async with opened(url, now_utc) as accounts:
        return (await join(accounts)).api_token or ""


def started(url: str, token: str) -> "list[subprocess.Popen[bytes]]":
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    command = [sys.executable, str(PROGRAM), url, token]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe) for _ in range(4)]
    for process in processes:
        assert seen(process) == b"."
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    return processes


def seen(process: "subprocess.Popen[bytes]") -> bytes:
    assert process.stdout is not None
    return os.read(process.stdout.fileno(), 1)


def passed(process: "subprocess.Popen[bytes]") -> int:
    """Its calls that passed, with the one before all began together."""
    dots, _ = process.communicate(timeout=120)
    return 1 + len(dots)


def used(url: str) -> int:
    engine = make_engine(AccountsSettings(database_url=url))
    with engine.connect() as connection:
        count: int = connection.execute(text("SELECT sum(used) FROM user_api_consumptions")).scalar_one()
    engine.dispose()
    return count


async def test_exactly_the_quota_passes_over_four_processes(database_url: str) -> None:
    processes = started(database_url, await new_token(database_url))
    counts = [passed(process) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert sum(counts) == QUOTA
    assert used(database_url) == QUOTA


async def test_a_killed_process_loses_its_block_at_most_and_the_quota_is_never_exceeded(database_url: str) -> None:
    killed, *others = started(database_url, await new_token(database_url))
    first = len(seen(killed))
    killed.kill()
    total = first + passed(killed) + sum(passed(process) for process in others)
    # Between its admission and its dot, one call may have been lost from the count.
    assert QUOTA - BLOCK - 1 <= total <= QUOTA
    assert used(database_url) == QUOTA
