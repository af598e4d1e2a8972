"""The limits of open streams, in this process: the test client cannot leave one open."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import Message

from serving.routes.forecasts import Broadcaster

PATH = "/api/v1/stream/btc_usdt"


@pytest.fixture(scope="module")
def api(open_api: Callable[..., Any]) -> Iterator[Any]:
    """The API with up to three streams, two of a user."""
    with open_api("btc_usdt", streams=3, user_streams=2) as started:
        yield started


class Streams:
    """Streams that stay open until ``end``, each as its status."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.statuses: list[int] = []
        self.body = b""
        self.tasks: list[asyncio.Task[None]] = []

    async def open(self, *bearers: dict[str, str], sends: bool = True) -> list[int]:
        """Open streams at the same time; their statuses, sorted. A client that does not ``sends`` is gone at once."""
        before = len(self.statuses)
        self.tasks += [asyncio.create_task(self._request(bearer, sends)) for bearer in bearers]
        while len(self.statuses) < before + len(bearers) and not all(task.done() for task in self.tasks):
            await asyncio.sleep(0.01)
        return sorted(self.statuses[before:])

    async def end(self) -> None:
        """Close all."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _request(self, bearer: dict[str, str], sends: bool) -> None:
        async def receive() -> Message:
            if sends:
                await asyncio.sleep(3600)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.statuses.append(message["status"])
            self.body += message.get("body", b"")

        version = {"asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http"}
        url = {"path": PATH, "raw_path": PATH.encode(), "root_path": "", "query_string": b""}
        headers = [(b"authorization", bearer["Authorization"].encode())]
        peers = {"server": ("api", 80), "client": ("192.0.2.7", 1)}
        scope = {"type": "http", "method": "GET", "headers": headers, **version, **url, **peers}
        await self.app(scope, receive, send)


@asynccontextmanager
async def streams_of(api: Any) -> AsyncIterator[Streams]:
    opened = Streams(api.client.app)
    try:
        yield opened
    finally:
        await opened.end()
    broadcaster: Broadcaster = api.client.app.state.broadcaster
    assert broadcaster.subscribers.total() == 0


def test_concurrent_requests_open_as_many_streams_as_the_process_may_have(api: Any) -> None:
    users = [api.bearer() for _ in range(5)]

    async def check() -> None:
        async with streams_of(api) as streams:
            assert await streams.open(*users) == [200, 200, 200, 503, 503]
            assert b"the limit of 3 open streams of this process is reached" in streams.body

    api.client.portal.call(check)


def test_a_user_leaves_streams_for_others(api: Any) -> None:
    ada, grace = api.bearer(), api.bearer()

    async def check() -> None:
        async with streams_of(api) as streams:
            assert await streams.open(ada, ada, ada) == [200, 200, 503]
            assert b"the limit of 2 open streams of a user is reached" in streams.body
            assert await streams.open(grace) == [200]
            assert await streams.open(grace) == [503]

    api.client.portal.call(check)


def test_a_refused_or_abandoned_request_takes_no_stream(api: Any) -> None:
    poor, ada = api.poor(0), api.bearer()

    async def check() -> None:
        async with streams_of(api) as streams:
            assert await streams.open(*[poor] * 2) == [429, 429]
            await streams.open(*[ada] * 2, sends=False)
            await asyncio.gather(*streams.tasks, return_exceptions=True)
            assert await streams.open(ada, ada) == [200, 200]

    api.client.portal.call(check)
