"""The API as a process on a published model and an exchange whose clock stands still, for tests of what asks it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from conftest import free_port
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket
from serving.accounts import users
from serving.accounts.database import Database
from serving.accounts.settings import AccountsSettings
from serving.accounts.tables import ADMIN, MEMBER
from serving_process import ApiProcess
from synthetic import VERSION, lay_out, store

NOW = datetime(2025, 3, 1, 10, 30, tzinfo=UTC)
PASSWORD = "engine-of-1843"
_QUICK = {"MODELS_SECONDS": "0.5", "CANDLES_SECONDS": "0.5", "PASSWORD_MEMORY_KIB": "8", "REGISTRATIONS": "1000"}


@contextmanager
def published_api(folder: Path, *published: str) -> Iterator[ApiProcess]:
    """A model for btc_usdt and the published ones, none for eth_usdt else; half past ten on the first of March."""
    folder.mkdir(exist_ok=True)
    project = lay_out(folder)
    for pair in {"btc_usdt", *published}:
        store(project, VERSION, pair=pair)
    (project / "conf/local/parameters.yml").write_text("pairs: [btc_usdt, eth_usdt]\n")
    with ReplayServer(SimulatedMarket(seed=42), clock=Clock(NOW, speed=0)) as exchange:
        where = {"EXCHANGE_URL": exchange.url, "DATABASE_URL": f"sqlite:///{project / 'accounts.db'}"}
        api = ApiProcess(project, free_port(), where | _QUICK).start()
        try:
            api.wait("/api/v1/readyz")
            yield api
        finally:
            api.stop()


def make_admin(api: ApiProcess, name: str) -> None:
    """Give a user the role, beside the API."""
    database = Database(AccountsSettings(database_url=api.variables["DATABASE_URL"]))
    database.write_now(lambda session: users.set_roles(session, name, {ADMIN, MEMBER}))
    database.close()
