"""The replay exchange over HTTP: Binance's REST protocol on a local port."""

import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from make_us_rich.domain.errors import MakeUsRichError, ParameterError
from make_us_rich.replay.answer import Answer, misbehaviour, not_found, too_heavy
from make_us_rich.replay.clock import Clock
from make_us_rich.replay.exchange import PARAMETERS, PREFIX, SPARED, Exchange, Market, weight
from make_us_rich.replay.faults import Faults, Plan
from make_us_rich.replay.probe import IDENTITY
from make_us_rich.replay.protocol import RefusalError, unique
from make_us_rich.replay.weight import DEFAULT_LIMIT, WeightMeter


class ReplayServer:
    """Serves a market until it is stopped; also a context manager.

    Args:
        market: ``FolderMarket`` or ``SimulatedMarket``.
        clock: Virtual time; unless given, the market's own beginning at real speed.
        faults: How it misbehaves; may be replaced while it runs.
        port: Port to listen on, 0 for any free one; a second start keeps the port of the first.
        host: Address to listen on.
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
        weight_limit: int = DEFAULT_LIMIT,
        real: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock or Clock(market.default_now())
        self.faults = faults or Faults()
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.host = host
        self.port = port
        self.weight = WeightMeter(weight_limit, real)
        self.exchange = Exchange(market, self.clock, weight_limit)
        self._listener: _Listener | None = None

    @property
    def url(self) -> str:
        """The address to give to a client, without ``/api``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> Self:
        """Listen, in a thread of its own.

        Raises:
            ParameterError: The address cannot be listened on.
        """
        self._listener = _listen(self)
        self.port = self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True, name=self.url).start()
        return self

    def stop(self) -> None:
        """End all connections and free the port; does nothing where it is not running."""
        if self._listener is not None:
            self._listener.shutdown()
            self._listener.server_close()
            self._listener.hang_up()
            self._listener = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def respond(self, target: str) -> tuple[Answer | None, int]:
        """The answer to a request target, None to drop the connection, and the weight used so far."""
        path, _, query = target.partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        self.requests.append((path, dict(pairs)))
        question = path.removeprefix(PREFIX)
        used = self.weight.use(weight(question, dict(pairs)))
        if not path.startswith(PREFIX) or question not in PARAMETERS:
            return not_found(), used
        return self._behave(question, pairs, used), used

    def _behave(self, question: str, pairs: list[tuple[str, str]], used: int) -> Answer | None:
        plan = self.faults.plan(spared=question in SPARED)
        time.sleep(plan.latency)
        if plan.refusal == "drop":
            return None
        if plan.refusal is not None:
            return misbehaviour(plan, self.clock.now_ms(), self.weight.limit)
        if used > self.weight.limit:
            return too_heavy(self.weight.limit, self.weight.seconds_left())
        answer = self._answer(question, pairs, plan)
        return answer.halved() if plan.truncate else answer

    def _answer(self, question: str, pairs: list[tuple[str, str]], plan: Plan) -> Answer:
        try:
            return self.exchange.answer(question, unique(pairs, PARAMETERS[question]), plan)
        except RefusalError as refusal:
            return Answer.refused(refusal)
        except MakeUsRichError as error:
            return Answer.refused(RefusalError(-1000, str(error), 500))


def _listen(server: ReplayServer) -> "_Listener":
    kind = _ListenerIPv6 if ":" in server.host else _Listener
    try:
        return kind((server.host, server.port), server)
    except (OSError, OverflowError) as exc:
        raise ParameterError(
            f"cannot listen on {server.host} port {server.port}: {exc}; choose another --port (0 takes a free one)"
        ) from exc


class _Listener(ThreadingHTTPServer):
    """Knows its open connections, so that stopping ends them."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, address: tuple[str, int], replay: ReplayServer) -> None:
        self.replay = replay
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer would look the host's name up, which can take seconds without a network.
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        with self._lock:
            for connection in self._open:
                _shut(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up early is its own business.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _ListenerIPv6(_Listener):
    address_family = socket.AF_INET6


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The client was faster; there is nothing left to end.
        return


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def do_GET(self) -> None:
        answer, used = self.server.replay.respond(self.path)
        if answer is None:
            self._drop()
        else:
            self._send(answer, used)

    def do_POST(self) -> None:
        """Nothing can be changed here; the body is left unread, so the connection ends."""
        self.close_connection = True
        refusal = RefusalError(
            -1000, f"Request method '{self.command}' is not supported; the replay exchange only reads.", 405
        )
        self._send(Answer.refused(refusal), 0)

    do_PUT = do_DELETE = do_PATCH = do_POST  # noqa: N815

    def version_string(self) -> str:
        return IDENTITY

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are kept in ``ReplayServer.requests``, not printed."""

    def _drop(self) -> None:
        self.close_connection = True
        _shut(self.connection)

    def _send(self, answer: Answer, used: int) -> None:
        body = answer.body
        if answer.truncate:
            self.close_connection = True
            body = body[: len(body) // 2]
        # Head and body in one write: one packet where they fit.
        self.wfile.write(self._head(answer, used) + body)

    def _head(self, answer: Answer, used: int) -> bytes:
        headers = {
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
            "Connection": "close" if self.close_connection else "keep-alive",
            "Server": IDENTITY,
            "Date": self.date_time_string(),
            "x-mbx-used-weight": str(used),
            "x-mbx-used-weight-1m": str(used),
            **answer.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n{lines}\r\n".encode("latin-1")
