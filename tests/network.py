"""Free ports, waiting for a condition, an HTTP server, and a TCP proxy that can break off and be started again."""

import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx

TIMEOUT = 120.0
"""Seconds to wait for anything, however busy the machine is."""


def wait_until(condition: Callable[[], Any]) -> None:
    """Check a condition until it is true."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "the condition does not become true"
        time.sleep(0.05)


def free_port() -> int:
    """A port that is free, and 10,000 above it another, where SeaweedFS's gRPC listens.

    Both lie below those that the system gives to whoever connects to something.
    """
    while True:
        port = 10_000 + secrets.randbelow(12_000)
        with socket.socket() as low, socket.socket() as high, suppress(OSError):
            low.bind(("127.0.0.1", port))
            high.bind(("127.0.0.1", port + 10_000))
            return port


def status(url: str) -> int | None:
    """The HTTP status with which a URL answers; None where nothing does."""
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code
    except httpx.TransportError:
        return None


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of an error of the API."""
    return answer.status_code, answer.json()["code"]


class HttpServer(ThreadingHTTPServer):
    """A started server that keeps each request and answers as a function says; a context that stops it.

    Args:
        respond: Gives status, body and headers for a method, a path and a body.
    """

    daemon_threads = True

    def __init__(self, respond: Callable[[str, str, bytes], tuple[int, str, dict[str, str]]] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.respond = respond or (lambda method, path, body: (200, "", {}))
        self.requests: list[tuple[str, bytes]] = []
        """Path and body."""
        self.address = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Answer no more; a second time it does nothing."""
        if self.socket.fileno() != -1:
            self.shutdown()
            self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: HttpServer

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.path, body))
        status, text, headers = self.server.respond(self.command, self.path, body)
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(text.encode()))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


class TcpProxy:
    """A started proxy.

    Args:
        target: Port of the server.
        limit: Bytes of a request after which the connection breaks; None for all.
    """

    def __init__(self, target: int, limit: int | None = None) -> None:
        self._target, self._limit = target, limit
        self._open: set[socket.socket] = set()
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Open it, at the same port as before."""
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                proxy._relay(self.request)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Close it, and every connection."""
        self._server.shutdown()
        self._server.socket.close()
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _relay(self, client: socket.socket) -> None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
            self._open |= {client, server}
            back = threading.Thread(target=_pass_on, args=(server, client, None), daemon=True)
            back.start()
            _pass_on(client, server, self._limit)
            if self._limit is None:
                back.join()
            self._open -= {client, server}


def _pass_on(source: socket.socket, target: socket.socket, limit: int | None) -> None:
    passed = 0
    with suppress(OSError):
        while (limit is None or passed < limit) and (part := source.recv(65_536)):
            target.sendall(part)
            passed += len(part)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
