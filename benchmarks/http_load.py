"""Clients that ask again as soon as they have been answered: HTTP/1.1 by hand, faster than a server is."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import uvloop


@dataclass(frozen=True)
class Load:
    """What clients saw.

    Attributes:
        a_second: Answers a second.
        p50_ms: Half of the answers took no longer.
        p99_ms: All but one in a hundred took no longer.
        failed: Answers other than 200.
        busy: Share of the time in which the clients' own process was working; near 1, they were what was measured.
    """

    a_second: float
    p50_ms: float
    p99_ms: float
    failed: int
    busy: float


def put_under_load(port: int, requests: Sequence[bytes], seconds: float) -> Load:
    """One connection for each request, which is sent over and over.

    Args:
        port: Of the server, on this machine.
        requests: Whole requests.
        seconds: How long.
    """
    return uvloop.run(_ask_all(port, requests, seconds))


async def _ask_all(port: int, requests: Sequence[bytes], seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda each=each: _Client(each), "127.0.0.1", port))[1] for each in requests
    ]  # type: ignore[misc]
    begun, worked = time.perf_counter(), time.process_time()
    for client in clients:
        client.ask()
    await asyncio.sleep(seconds)
    took, worked = time.perf_counter() - begun, time.process_time() - worked
    for client in clients:
        client.close()
    latencies = sorted(latency for client in clients for latency in client.latencies)
    return Load(
        a_second=len(latencies) / took,
        p50_ms=1000 * latencies[len(latencies) // 2],
        p99_ms=1000 * latencies[len(latencies) * 99 // 100],
        failed=sum(client.failed for client in clients),
        busy=worked / took,
    )


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._transport: asyncio.WriteTransport
        self._asked = 0.0
        self._missing = 0
        self._closed = False
        self.latencies: list[float] = []
        self.failed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._closed:
            raise SystemExit(f"the server has closed a connection: {error}")

    def ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._request)

    def close(self) -> None:
        self._closed = True
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            self._missing = self._length(data)
        self._missing -= len(data)
        if not self._missing and not self._closed:
            self.latencies.append(time.perf_counter() - self._asked)
            self.ask()

    def _length(self, data: bytes) -> int:
        """Bytes of an answer of which this is the beginning; a server sends its head in one piece."""
        self.failed += not data.startswith(b"HTTP/1.1 200")
        head, _, _ = data.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return len(head) + 4 + int(length)
