"""Bucket, PostgreSQL and exchange, each down for a while, alone and together, at the start and later."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest

from make_us_rich.replay import ReplayServer
from places import Place, Way
from serving_process import ApiProcess, has_told, wait_until
from synthetic import VERSION

pytestmark = pytest.mark.slow

PREDICT = "/api/v1/predict?currency=btc&compare=usdt"
NAMES = ("store", "database", "exchange")
TOLD = {
    "store": "the store does not answer",
    "database": "the accounts database does not answer",
    "exchange": "cannot be reached",
}
ALONE = [(name,) for name in NAMES]
TOGETHER = [down for size in (2, 3) for down in combinations(NAMES, size)]


class Server(Protocol):
    """Anything that can be down."""

    def start(self) -> Any: ...

    def stop(self) -> None: ...


@dataclass
class Site:
    """An API and what it rests on."""

    api: ApiProcess
    parts: dict[str, Server]

    def stop(self, *names: str) -> None:
        for name in names:
            self.parts[name].stop()

    def start(self, *names: str) -> None:
        for name in names:
            self.parts[name].start()

    def forecasts(self, headers: dict[str, str]) -> bool:
        """Whether all is well: ready, nothing degraded, and a forecast."""
        self.api.wait("/readyz")
        return self.api.wait(PREDICT, 200, **headers).json()["forecast"]["version"] == VERSION


@pytest.fixture
def site(servers: Place, postgres_of_its_own: Any, exchange: ReplayServer, process_of: Any) -> Iterator[Site]:
    """Everything is up, and the API not started yet."""
    way = Way(int(str(urlsplit(servers.credentials["client_kwargs"]["endpoint_url"]).port)))
    endpoint = servers.credentials["client_kwargs"] | {"endpoint_url": f"http://127.0.0.1:{way.port}"}
    credentials = servers.credentials | {"client_kwargs": endpoint}
    replace(servers, credentials=credentials).configure()
    url = postgres_of_its_own.url("accounts")
    api = process_of(database_url=url, database_seconds=2, monthly_calls=1_000_000)
    yield Site(api, {"store": way, "database": postgres_of_its_own, "exchange": exchange})
    way.stop()


def is_told(site: Site, name: str, loaded: bool) -> bool:
    """Whether ``/readyz`` says that a part is down: it is not ready without a database, nor without any model."""
    kinds = {"database": "reasons", "store": "degraded" if loaded else "reasons", "exchange": "degraded"}
    return has_told(site.api, kinds[name], TOLD[name])


def test_whatever_is_down_later_what_was_loaded_is_served_and_all_recovers(site: Site) -> None:
    headers = site.api.bearer("ada")
    site.api.start()
    assert site.forecasts(headers)
    for down in [*ALONE, *TOGETHER]:
        site.stop(*down)
        for name in down:
            wait_until(lambda: is_told(site, name, loaded=True))  # noqa: B023
        site.api.wait("/healthz")
        site.api.wait("/readyz", 503 if "database" in down else 200)
        assert site.api.wait(PREDICT, 200, **headers).json()["forecast"]["version"] == VERSION
        site.start(*down)
        wait_until(lambda: site.api.wait("/readyz").json()["degraded"] == [])
        assert site.forecasts(headers)


@pytest.mark.parametrize("down", [*ALONE, NAMES], ids="+".join)
def test_whatever_is_down_at_the_start_it_lives_says_so_and_recovers(site: Site, down: tuple[str, ...]) -> None:
    headers = site.api.bearer("ada")
    site.stop(*down)
    site.api.start()
    for name in down:
        if not (name == "exchange" and "store" in down):
            wait_until(lambda: is_told(site, name, loaded="store" not in down))  # noqa: B023
    code = site.api.wait(PREDICT, 503, **headers).json()["error"]["code"]
    assert code in {"no_forecast", "accounts_unavailable"}
    site.start(*down)
    wait_until(lambda: site.api.wait("/readyz").json()["degraded"] == [])
    assert site.forecasts(headers)
