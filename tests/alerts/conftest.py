"""A real HTTP server as the webhook, and one as the API."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Webhook:
    """Takes messages, or refuses them.

    Attributes:
        messages: Everything that arrived, as JSON.
        status: What is answered.
        ready: What is answered to a GET, as the API's readiness.
    """

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.status = 200
        self.ready: Any = {"ready": True, "reasons": [], "degraded": [], "database": True}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.status == 200:
                    outer.messages.append(json.loads(body))
                    outer.paths.append(self.path)
                self.send_response(outer.status)
                self.end_headers()

            def do_GET(self) -> None:
                body = json.dumps(outer.ready).encode()
                self.send_response(200 if isinstance(outer.ready, dict) and outer.ready.get("ready") else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    @property
    def address(self) -> str:
        """As Apprise takes it."""
        return f"json://127.0.0.1:{self.port}/hook/s3cr3t-path"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    made = Webhook()
    yield made
    made.stop()
