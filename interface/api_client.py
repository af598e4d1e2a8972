"""The API, as Python: every call gives a typed answer or raises an ``ApiError``."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from interface import api_answers as answers
from interface.api_errors import (
    BY_STATUS,
    ApiError,
    BrokenError,
    LimitedError,
    TooSlowError,
    UnreachableError,
    moment,
)

Wanted = TypeVar("Wanted")
Answered = TypeVar("Answered", bound=answers.Answer)

SECONDS = 10.0
"""How long an answer may take."""

_PLANS = TypeAdapter(list[answers.Plan])


@dataclass(frozen=True)
class ApiClient:
    """One user's calls; the connections below it are everybody's.

    Args:
        http: Connections to the API, with its address.
        token: Of a login; none before one.
        address: Where the user comes from, so that attempts of one are not counted against another; none where that is
            not known.
    """

    http: httpx.Client
    token: str | None = field(default=None, repr=False)
    address: str | None = None

    @classmethod
    def at(cls, url: str, seconds: float = SECONDS) -> "ApiClient":
        """A client of the API at an address, for nobody yet."""
        return cls(httpx.Client(base_url=f"{url}/api/v1", timeout=httpx.Timeout(seconds, connect=3.0), trust_env=False))

    def for_address(self, address: str | None) -> "ApiClient":
        """The same API, asked on behalf of somebody there."""
        return replace(self, address=address)

    def as_user(self, token: str) -> "ApiClient":
        """The same API, asked with a login."""
        return replace(self, token=token)

    # Accounts

    def register(self, name: str, password: str) -> answers.Login:
        """Become a member."""
        return self._ask("POST", "/register", answers.Login, json={"name": name, "password": password})

    def log_in(self, name: str, password: str) -> answers.Login:
        """A login that lasts ten days; the error's code is ``unknown_user`` where nobody has the name."""
        return self._ask("POST", "/login", answers.Login, json={"name": name, "password": password})

    def log_out(self) -> None:
        """End this login."""
        self._send("POST", "/logout")

    def log_out_everywhere(self) -> None:
        """End every login of the user."""
        self._send("DELETE", "/logins")

    def me(self) -> answers.Usage:
        """Who I am and what I have used; not counted."""
        return self._ask("GET", "/me", answers.Usage)

    def rotate_token(self) -> str:
        """A new API token in place of the old one."""
        return self._ask("POST", "/tokens/rotate", _Token).api_token

    def revoke_token(self) -> None:
        """No API token any more."""
        self._send("DELETE", "/tokens")

    # Forecasts and models

    def predict(self, pair: str) -> answers.Prediction:
        """The forecast of now; counted as one call, so ask ``forecasts.current`` instead, which remembers it."""
        currency, _, compare = pair.partition("_")
        return self._ask("GET", "/predict", answers.Prediction, params={"currency": currency, "compare": compare})

    def pairs(self) -> answers.Pairs:
        """What is served for every pair."""
        return self._ask("GET", "/pairs", answers.Pairs)

    def model(self, pair: str) -> answers.ModelServed:
        """The champion of a pair."""
        return self._ask("GET", f"/models/{_part(pair)}", answers.ModelServed)

    def past(self, pair: str, horizon: int) -> answers.PastForecasts:
        """A week of forecasts with what came true."""
        return self._ask("GET", f"/forecasts/{_part(pair)}", answers.PastForecasts, params={"horizon": horizon})

    def loaded(self) -> answers.Loaded:
        """The loaded models."""
        return self._ask("GET", "/check_models_number", answers.Loaded)

    def ready(self) -> answers.Ready:
        """Whether the API can be used, and what is wrong with it; an answer in either case."""
        response = self._request("GET", "/readyz")
        if response.status_code not in {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}:
            raise _refusal(response)
        return _read(response, answers.Ready.model_validate_json)

    # Admins

    def users(self, search: str = "", after: str = "", size: int = 25) -> answers.Users:
        """A page of users whose names contain a text."""
        return self._ask("GET", "/admin/users", answers.Users, params={"search": search, "after": after, "size": size})

    def set_roles(self, name: str, roles: list[str]) -> answers.Usage:
        """Give a user these roles and no others."""
        return self._ask("PUT", f"/admin/users/{_part(name)}/roles", answers.Usage, json={"roles": roles})

    def set_limit(self, name: str, limit: int | None) -> answers.Usage:
        """Give a user a limit of its own, or none."""
        return self._ask("PUT", f"/admin/users/{_part(name)}/limit", answers.Usage, json={"monthly_limit": limit})

    def close_logins(self, name: str) -> int:
        """End every login of a user; returns how many there were."""
        return self._ask("DELETE", f"/admin/users/{_part(name)}/logins", _Closed).closed

    def revoke_token_of(self, name: str) -> None:
        """Revoke a user's API token."""
        self._send("DELETE", f"/admin/users/{_part(name)}/tokens")

    def plans(self) -> list[answers.Plan]:
        """The roles, and the calls a month that come with each."""
        return _read(self._send("GET", "/admin/roles"), _PLANS.validate_json)

    def set_plan(self, role: str, limit: int | None) -> answers.Plan:
        """Give a role a limit, or that of the settings."""
        return self._ask("PUT", f"/admin/roles/{_part(role)}/limit", answers.Plan, json={"monthly_limit": limit})

    def consumption(self) -> answers.Consumption:
        """What everybody together has used of the month."""
        return self._ask("GET", "/admin/consumption", answers.Consumption)

    def last_runs(self) -> answers.LastRuns:
        """How the last hourly runs of all pairs ended."""
        return self._ask("GET", "/admin/runs", answers.LastRuns)

    def update_models(self) -> answers.Loaded:
        """Load the newest champions now."""
        return self._ask("PUT", "/update_models", answers.Loaded)

    def versions(self, pair: str) -> answers.Versions:
        """The champion of a pair, and those before it."""
        return self._ask("GET", f"/admin/pairs/{_part(pair)}/champion", answers.Versions)

    def roll_back(self, pair: str, version: str) -> None:
        """Make an earlier version the champion."""
        self._send("PUT", f"/admin/pairs/{_part(pair)}/champion", params={"version": version})

    def update_date(self, day: date | None) -> answers.Pairs:
        """Serve the champions as of a date; none: today's."""
        return self._ask("PUT", "/update_date", answers.Pairs, params={"date": day.isoformat()} if day else {})

    # Below

    def _ask(self, method: str, path: str, wanted: type[Answered], **content: Any) -> Answered:
        return _read(self._send(method, path, **content), wanted.model_validate_json)

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        response = self._request(method, path, **content)
        if not response.is_success:
            raise _refusal(response)
        return response

    def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if self.address:
            headers["X-Forwarded-For"] = self.address
        try:
            return self.http.request(method, path, headers=headers, **content)
        except httpx.TimeoutException as exc:
            raise TooSlowError("the API does not answer in time") from exc
        except httpx.HTTPError as exc:
            raise UnreachableError(f"no API answers at {self.http.base_url.copy_with(path='')}") from exc


class _Token(answers.Answer):
    api_token: str


class _Closed(answers.Answer):
    closed: int


def _part(name: str) -> str:
    return quote(name, safe="")


def _read(response: httpx.Response, read: Callable[[bytes], Wanted]) -> Wanted:
    try:
        return read(response.content)
    except ValidationError as exc:
        raise BrokenError("the API answers what this interface does not understand", "update both") from exc


def _refusal(response: httpx.Response) -> ApiError:
    told = _told(response)
    kind = BY_STATUS.get(response.status_code, BrokenError)
    error = kind(
        str(told.get("message") or f"the API answers {response.status_code}"),
        str(told.get("remedy") or ""),
        str(told.get("code") or ""),
        str(told.get("request_id") or ""),
    )
    if isinstance(error, LimitedError):
        _add_limits(error, response.headers)
    return error


def _told(response: httpx.Response) -> dict[str, Any]:
    try:
        body = json.loads(response.content)
    except ValueError:
        return {}
    told = body.get("error") if isinstance(body, dict) else None
    return told if isinstance(told, dict) else {}


def _add_limits(error: LimitedError, headers: Mapping[str, str]) -> None:
    error.reset_at = moment(headers.get("x-ratelimit-reset"))
    after, limit = headers.get("retry-after", ""), headers.get("x-ratelimit-limit", "")
    if error.reset_at is None and after.isdecimal():
        error.reset_at = datetime.now(UTC) + timedelta(seconds=int(after))
    error.limit = int(limit) if limit.isdecimal() else None
