"""Bucket, PostgreSQL and exchange, each down for a while, alone and together, at the start and later."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from network import TcpProxy, refusal, wait_until
from postgres_server import PostgresServer
from processes import ApiProcess, api_in
from synthetic import VERSION

from ..conftest import Place
from .conftest import PREDICT

pytestmark = pytest.mark.slow

MESSAGES = {
    "store": "the store does not answer",
    "database": "the accounts database does not answer",
    "exchange": "cannot be reached",
}
ALONE = [(name,) for name in MESSAGES]


@dataclass
class Site:
    """An API and the servers that it needs."""

    api: ApiProcess
    parts: dict[str, Any]

    def stop(self, *names: str) -> None:
        for name in names:
            self.parts[name].stop()

    def start(self, *names: str) -> None:
        for name in names:
            self.parts[name].start()

    def is_reported(self, name: str, loaded: bool) -> bool:
        """Whether ``/readyz`` says that a part is down: it is not ready without a database, nor without any model."""
        kinds = {"database": "reasons", "store": "degraded" if loaded else "reasons", "exchange": "degraded"}
        return self.api.reports(kinds[name], MESSAGES[name])

    def check_forecast(self, headers: dict[str, str]) -> None:
        """Wait until all is well: ready, nothing degraded, and a forecast."""
        wait_until(lambda: self.api.wait("/readyz").json()["degraded"] == [])
        assert self.api.wait(PREDICT, 200, **headers).json()["forecast"]["version"] == VERSION


@pytest.fixture
def site(make_place, market, postgres_url: str, stoppable_postgres: PostgresServer) -> Iterator[Site]:
    """Everything is up."""
    bucket: Place = make_place("bucket")
    client = bucket.credentials["client_kwargs"]
    store = TcpProxy(int(str(urlsplit(client["endpoint_url"]).port)))
    kwargs = client | {"endpoint_url": f"http://127.0.0.1:{store.port}"}
    replace(bucket, credentials=bucket.credentials | {"client_kwargs": kwargs}).configure()
    quick = {"MODELS_SECONDS": 0.2, "CANDLES_SECONDS": 0.2, "MONTHLY_CALLS": 1_000_000}
    with api_in(bucket.project, market, DATABASE_URL=postgres_url, **quick) as api:
        yield Site(api, {"store": store, "database": stoppable_postgres, "exchange": api.exchange})
    store.stop()


def test_whatever_is_down_what_was_loaded_is_served_and_all_recovers(site: Site) -> None:
    headers = site.api.bearer("ada")
    site.check_forecast(headers)
    for down in [*ALONE, tuple(MESSAGES)]:
        site.stop(*down)
        for name in down:
            wait_until(lambda: site.is_reported(name, loaded=True))  # noqa: B023
        site.api.wait("/healthz")
        site.api.wait("/readyz", 503 if "database" in down else 200)
        assert site.api.wait(PREDICT, 200, **headers).json()["forecast"]["version"] == VERSION
        site.start(*down)
        site.check_forecast(headers)

    # Where it is down at the start, the API lives and says so.
    for down in ALONE:
        site.api.stop()
        site.stop(*down)
        site.api.start()
        for name in down:
            wait_until(lambda: site.is_reported(name, loaded="store" not in down))  # noqa: B023
        assert refusal(site.api.wait(PREDICT, 503, **headers))[1] in {"no_forecast", "accounts_unavailable"}
        site.start(*down)
        site.check_forecast(headers)
