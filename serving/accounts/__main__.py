"""The command ``python -m serving.accounts``: tables, admins, and the account of the demo."""

import secrets
import sys

import click
from sqlalchemy.orm import Session

from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.domain.run import utc_now
from serving.accounts import tokens, users
from serving.accounts.database import REVISION, Database, Result, Work, make_engine, migrate
from serving.accounts.logins import Passwords, check_password
from serving.accounts.tables import ADMIN, MEMBER, User
from serving.settings import Settings


@click.group()
def commands() -> None:
    """Accounts in the database of MAKE_US_RICH_DATABASE_URL."""


@commands.command("migrate")
def migrate_tables() -> None:
    """Create the tables, or migrate them to this release."""
    migrate(make_engine(Settings.read()))
    click.echo(f"the tables are at revision {REVISION}")


@commands.command("create-admin")
@click.argument("name")
def create_admin(name: str) -> None:
    """Add an admin; prompts for the password, or reads it from the first line of a pipe."""
    settings, name = Settings.read(), users.normalize_name(name)
    users.check_name(name)
    is_typed = sys.stdin.isatty()
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True) if is_typed else sys.stdin.readline()
    check_password(name, password := password.rstrip("\r\n"))
    new = User(name=name, password_hash=Passwords(settings).hash_now(password), created_at=utc_now())
    roles = ADMIN, MEMBER
    token = _write(settings, lambda session: tokens.issue(session, users.add(session, new, roles).id, new.created_at))
    click.echo(f"{name} is an admin. The API token, which is not shown again: {token}")


@commands.command("renew-demo")
def renew_demo() -> None:
    """Add the admin `demo`, or end its logins and change its password; prints name and password."""
    settings, password = Settings.read(), secrets.token_urlsafe(12)
    password_hash = Passwords(settings).hash_now(password)
    demo = User(name="demo", password_hash=password_hash, created_at=utc_now())

    def renew(session: Session) -> None:
        user = users.find(session, "demo") or users.add(session, demo, (ADMIN, MEMBER))
        user.password_hash = password_hash
        tokens.close_logins(session, user.id)

    _write(settings, renew)
    click.echo(f"demo {password}")


def _write(settings: Settings, work: Work[Result]) -> Result:
    database = Database(settings)
    try:
        database.prepare()
        return database.transact(work)
    finally:
        database.close()


def main() -> None:
    """Run a command; an error is one line."""
    try:
        commands(prog_name="python -m serving.accounts")
    except MakeUsRichError as error:
        sys.stderr.write(f"python -m serving.accounts: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
