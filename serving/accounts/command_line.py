"""The command ``python -m serving.accounts``: the tables, the first admin, and the demo's account."""

import json
import secrets
import sys
from pathlib import Path
from typing import Any

import click

from make_us_rich.domain.errors import MakeUsRichError, ParameterError
from serving.accounts import schema, users
from serving.accounts.accounts import now_utc
from serving.accounts.backup import dump, load
from serving.accounts.database import Database, Result, Work, make_engine, naming
from serving.accounts.errors import UnavailableError
from serving.accounts.passwords import Passwords, check_password
from serving.accounts.settings import AccountsSettings
from serving.accounts.tables import ADMIN, MEMBER
from serving.accounts.users import NewUser


def main() -> None:
    """Run a command; what the user can mend is one line."""
    try:
        commands(prog_name="python -m serving.accounts", standalone_mode=True)
    except MakeUsRichError as error:
        sys.stderr.write(f"python -m serving.accounts: {error}\n")
        sys.exit(1)


@click.group()
def commands() -> None:
    """Accounts in the database that MAKE_US_RICH_DATABASE_URL names."""


@commands.command()
def migrate() -> None:
    """Make the tables, or bring them to this release."""
    with naming(UnavailableError):
        schema.migrate(make_engine(AccountsSettings()))
    click.echo(f"the tables are at revision {schema.NEEDED}")


@commands.command("create-admin")
@click.argument("name")
def create_admin(name: str) -> None:
    """Make an admin; the password is asked for, or read as the first line of what is piped in."""
    settings = AccountsSettings()
    normal = users.normal_name(name)
    password = _password()
    check_password(normal, password)
    token = _add(settings, NewUser(normal, Passwords(settings).hash_now(password), (ADMIN, MEMBER)))
    click.echo(f"{normal} is an admin. The API token, which is not shown again: {token}")


@commands.command("renew-demo")
def renew_demo() -> None:
    """Make the admin `demo`, or end its logins and give it another password: a random one, which is printed."""
    settings = AccountsSettings()
    password = secrets.token_urlsafe(12)
    demo = NewUser("demo", Passwords(settings).hash_now(password), (ADMIN, MEMBER))
    _write(settings, lambda session: users.renew(session, demo, now_utc()))
    click.echo(f"{demo.name} {password}")


@commands.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup(file: Path) -> None:
    """Write all accounts into FILE, which only its owner may read."""
    with naming(UnavailableError):
        record = dump(make_engine(AccountsSettings()))
    file.touch()
    file.chmod(0o600)
    file.write_text(json.dumps(record, indent=1))
    click.echo(f"{file}: {len(record['tables']['users'])} users")


@commands.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--replace", is_flag=True, help="Let accounts that are there go.")
def restore(file: Path, replace: bool) -> None:
    """Put all accounts of FILE back; tables are made where there are none."""
    with naming(UnavailableError):
        users_back = load(make_engine(AccountsSettings()), _record(file), replace=replace)
    click.echo(f"{users_back} users are back")


def _record(file: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(file.read_text())
    except ValueError as exc:
        raise ParameterError(f"{file}: it is no whole backup; name another file") from exc
    return record


def _password() -> str:
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    return sys.stdin.readline().rstrip("\r\n")


def _add(settings: AccountsSettings, new: NewUser) -> str:
    return _write(settings, lambda session: users.add(session, new, now_utc())[1])


def _write(settings: AccountsSettings, work: Work[Result]) -> Result:
    database = Database(settings)
    database.prepare()
    try:
        return database.write_now(work)
    finally:
        database.close()
