"""The replay exchange over HTTP: Binance's REST protocol on a local port."""

import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from typing import Any, Self
from urllib.parse import parse_qsl
from weakref import WeakSet

import httpx

from make_us_rich.domain.errors import MakeUsRichError, ParameterError
from make_us_rich.replay.exchange import DEFAULT_WEIGHT_LIMIT, PARAMETERS, PREFIX, Clock, Exchange, Market
from make_us_rich.replay.faults import REFUSALS, Faults, refusal
from make_us_rich.replay.protocol import Answer, RefusalError, unique

IDENTITY = "make-us-rich-replay"
"""The ``Server`` header of every answer."""

MARKET_HEADER = "x-replay-market"
"""The header of every answer that says what is replayed: ``simulated`` or ``folder``."""


class ReplayServer:
    """Serves a market until it is stopped; also a context manager.

    Args:
        market: What is replayed.
        clock: Virtual time; by default the market's own beginning at real speed.
        faults: How it misbehaves; may be replaced while it runs.
        port: 0 for any free one; a second start keeps the port of the first.
        host: Name or address to listen on; IPv6 with or without brackets.
        weight_limit: Request weight per real minute, beyond which 429 is answered.
        real: Seconds since 1970, for the weight's minutes.

    Attributes:
        requests: Path and query of every request so far, in order of arrival.
    """

    def __init__(
        self,
        market: Market,
        clock: Clock | None = None,
        faults: Faults | None = None,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        weight_limit: int = DEFAULT_WEIGHT_LIMIT,
        real: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock or Clock(market.default_now())
        self.faults = faults or Faults()
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.host = host.strip("[]")
        self.port = port
        self._real = real
        self.exchange = Exchange(market, self.clock, weight_limit)
        self._listener: _Listener | None = None

    @property
    def url(self) -> str:
        """The address to give to a client, without ``/api``."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def start(self) -> Self:
        """Listen, in a thread of its own; ParameterError if the address cannot be listened on."""
        try:
            self._listener = _Listener((self.host, self.port), self)
        except (OSError, OverflowError) as exc:
            message = f"cannot listen on {self.host} port {self.port}: {exc}"
            raise ParameterError(message, "choose another --port (0 takes a free one)") from exc
        self.port = self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True, name=self.url).start()
        return self

    def stop(self) -> None:
        """End all connections and free the port; does nothing where it is not running."""
        if self._listener is not None:
            self._listener.shutdown()
            self._listener.server_close()
            for connection in list(self._listener.connections):
                with suppress(OSError):  # The client was faster.
                    connection.shutdown(socket.SHUT_RDWR)
            self._listener = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def respond(self, target: str) -> tuple[Answer | None, int]:
        """The answer to a request target, None to drop the connection, and the weight used so far."""
        path, _, query = target.partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        self.requests.append((path, dict(pairs)))
        endpoint = path.removeprefix(PREFIX)
        used = self.exchange.weigh(endpoint, dict(pairs), int(self._real() // 60))
        if not path.startswith(PREFIX) or endpoint not in PARAMETERS:
            return Answer(404, b"<html><body><h2>404 Not found</h2></body></html>", "text/html"), used
        return self._answer_with_faults(endpoint, pairs, used), used

    def _answer_with_faults(self, endpoint: str, pairs: list[tuple[str, str]], used: int) -> Answer | None:
        faults, limit = self.faults, self.exchange.weight_limit
        struck = faults.draw(spared=endpoint in ("ping", "time"))
        time.sleep(faults.latency_seconds if "latency" in struck else 0)
        if kind := next((kind for kind in REFUSALS if kind in struck), None):
            return None if kind == "drop" else refusal(kind, self.clock.now_ms(), limit, faults.retry_after)
        if used > limit:
            return refusal("429", 0, limit, 60 - int(self._real() % 60))
        gaps = faults.rates["gaps"] if "gaps" in struck else 0
        try:
            query = unique(pairs, PARAMETERS[endpoint])
            answer = self.exchange.answer(endpoint, query, gaps=gaps, seed=faults.seed, unclosed="unclosed" in struck)
        except RefusalError as error:
            answer = error.answer()
        except MakeUsRichError as error:
            answer = RefusalError(-1000, str(error), 500).answer()
        return replace(answer, truncate="truncate" in struck)


class _Listener(socketserver.ThreadingTCPServer):
    """Knows its open connections, so that stopping ends them.

    No HTTPServer: that looks the host's name up, which can take seconds without a network.
    """

    allow_reuse_address = True
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, address: tuple[str, int], replay: ReplayServer) -> None:
        self.replay = replay
        self.connections = WeakSet[socket.socket]()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up early is no error of the server.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # Head and body in one write: one packet where they fit.
    server: _Listener

    def do_GET(self) -> None:
        answer, used = self.server.replay.respond(self.path)
        if answer is None:
            self.close_connection = True
            return
        self.close_connection |= answer.truncate
        self.send_response(answer.status)
        headers = {
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
            "Connection": "close" if self.close_connection else "keep-alive",
            MARKET_HEADER: str(self.server.replay.exchange.market.about["market"]),
            "x-mbx-used-weight": str(used),
            "x-mbx-used-weight-1m": str(used),
            **answer.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) // 2] if answer.truncate else answer.body)

    def version_string(self) -> str:
        return IDENTITY

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are noted in ``ReplayServer.requests``, not printed."""


def answers(url: str, timeout: float = 2.0) -> bool:
    """Whether a replay exchange answers at a URL, with or without ``/api``, within ``timeout`` seconds."""
    try:
        ping = httpx.URL(url).copy_with(path="/api/v3/ping")
        return bool(httpx.get(ping, timeout=timeout, trust_env=False).headers.get("server") == IDENTITY)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
