"""A real HTTP server as the webhook and as the API."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from network import HttpServer


class Webhook(HttpServer):
    """Takes messages, or refuses them with a status; answers a GET with the API's readiness, or a gateway's page."""

    def __init__(self) -> None:
        super().__init__(self.answer)
        self.messages: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.status = 200
        self.ready: Any = {}

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, str, dict[str, str]]:
        if method == "GET":
            return (502, self.ready, {}) if isinstance(self.ready, str) else (503, json.dumps(self.ready), {})
        if self.status == 200:
            self.messages.append(json.loads(body))
            self.paths.append(path)
        return self.status, "", {}

    @property
    def url(self) -> str:
        """As Apprise takes it."""
        return f"json://{self.address}/hook/s3cr3t-path"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as made:
        yield made
