"""Client of the API for the interface's users; failures are ``ApiError``, and ``error_views`` puts each into words."""

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from make_us_rich.client import ApiError, schemas
from make_us_rich.client.errors import error_of, unanswered

Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class ApiClient:
    """The API as one user sees it; users share the connections."""

    http: httpx.Client
    token: str | None = field(default=None, repr=False)  # of a login; None before a log-in
    address: str | None = None  # the user's own, by which the API limits attempts to log in; None where it is unknown

    @classmethod
    def connect(cls, url: str, timeout: float = 10.0) -> "ApiClient":
        """A client without a user; ``timeout`` in seconds."""
        limits = httpx.Timeout(timeout, connect=3.0)
        return cls(httpx.Client(base_url=f"{url}/api/v1", timeout=limits, trust_env=False))

    def as_user(self, token: str | None, address: str | None = None) -> "ApiClient":
        """The same API for the user of a login."""
        return replace(self, token=token, address=address)

    def register(self, name: str, password: str) -> schemas.Registration:
        """Create a member."""
        return self.call("POST", "/register", schemas.Registration, json={"name": name, "password": password})

    def log_in(self, name: str, password: str) -> schemas.Login:
        """Create a login; the error's code is ``unknown_user`` where the name is not registered."""
        return self.call("POST", "/login", schemas.Login, json={"name": name, "password": password})

    def me(self) -> schemas.Usage:
        """The user and the calls of this month; not counted."""
        return self.call("GET", "/me", schemas.Usage)

    def pairs(self) -> schemas.Pairs:
        """What is served for each pair."""
        return self.call("GET", "/pairs", schemas.Pairs)

    def call(self, method: str, path: str, schema: type[Parsed], **content: Any) -> Parsed:
        """The parsed response; keywords as for ``send``."""
        response = self.send(method, path, **content)
        try:
            return TypeAdapter(schema).validate_json(response.content)
        except ValidationError as exc:
            raise ApiError("the API and the interface are of different releases", "update both") from exc

    def send(self, method: str, path: str, accept: int = HTTPStatus.OK, **content: Any) -> httpx.Response:
        """The response where its status is 2xx or ``accept``; otherwise raise its error.

        Keywords are those of ``httpx.Client.request``, such as ``json``.
        """
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if self.address:
            headers["X-Forwarded-For"] = self.address
        try:
            response = self.http.request(method, path, headers=headers, **content)
        except httpx.RequestError as exc:
            raise unanswered(exc) from exc
        if response.is_success or response.status_code == accept:
            return response
        raise error_of(response)
