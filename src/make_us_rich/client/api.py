"""Clients of the API, with and without asyncio. Each method is written once, as the call that it makes."""

from __future__ import annotations

import asyncio
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Protocol, Self, TypeVar, cast, overload
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from make_us_rich.client import answers, schemas
from make_us_rich.client.alerts import Alert, Rule
from make_us_rich.client.errors import TRANSIENT, ApiError, UnknownPairError, error_of, retry_after, unanswered
from make_us_rich.client.record import PairRecord, PublicRecord

Parsed = TypeVar("Parsed")
Answer = TypeVar("Answer", covariant=True)
Arguments = ParamSpec("Arguments")

FIRST_WAIT, MAX_WAIT = 0.5, 60.0
"""Seconds before the second attempt, doubled for each one after it; a response that asks for more is an error."""

Outcome = httpx.Response | httpx.RequestError
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout)
_LOST = (*_NOT_SENT, httpx.NetworkError, httpx.RemoteProtocolError)


@dataclass(frozen=True)
class Call(Generic[Parsed]):
    """A request to the API, and the schema of its response.

    Attributes:
        method: Of HTTP.
        path: Below ``/api/v1``.
        schema: What the response is parsed as.
        params: Of the query; those that are None are left out.
        json: Body.
        read_only: Whether a POST changes nothing, and may be sent again after the API may have received it.
    """

    method: str
    path: str
    schema: type[Parsed]
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    read_only: bool = False

    def request(self, headers: Mapping[str, str]) -> dict[str, Any]:
        """Arguments of ``httpx.Client.request``."""
        params = {name: value for name, value in self.params.items() if value is not None}
        return {"method": self.method, "url": self.path, "params": params, "json": self.json, "headers": headers}

    def is_transient(self, outcome: Outcome) -> bool:
        """Whether another attempt may succeed, and cannot make a change twice."""
        if self.method == "POST" and not self.read_only:
            return isinstance(outcome, _NOT_SENT)
        return outcome.status_code in TRANSIENT if isinstance(outcome, httpx.Response) else isinstance(outcome, _LOST)

    def result(self, outcome: Outcome) -> Parsed:
        """The parsed response; ApiError for any other outcome."""
        if isinstance(outcome, httpx.RequestError):
            raise unanswered(outcome) from outcome
        if not outcome.is_success:
            raise error_of(outcome)
        try:
            return TypeAdapter(self.schema).validate_json(outcome.content or b"null")
        except ValidationError as exc:
            raise ApiError("the API and its client are of different releases", "update both") from exc


class Method(Protocol[Arguments, Answer]):
    """What type checkers know of a method: one client returns its answer, the other a coroutine of it."""

    @overload
    def __get__(self, client: Client, owner: object) -> Callable[Arguments, Answer]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: object) -> Callable[Arguments, Coroutine[Any, Any, Answer]]: ...


def method(build: Callable[Concatenate[Any, Arguments], Call[Answer]]) -> Method[Arguments, Answer]:
    """Make a method of both clients of what builds its call."""

    @wraps(build)
    def send(client: Any, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Any:
        return client.call(build(client, *args, **kwargs))

    return cast(Method[Arguments, Answer], send)


class Api(ABC):
    """What users ask of the API. Pairs are named such as ``btc_usdt``, prices are in quote currency, times in UTC.

    `pairs`, `model`, `past_forecasts` without a span, `record` and `records` need no token and, like `me` and those of
    alerts, are not counted; every other method is one call. All raise `ApiError`: `UnauthorizedError` without a valid
    token, `UnknownPairError`, `InvalidRequestError` for an argument out of range, `QuotaExceededError`, and
    `UnavailableError` if the API does not answer or has no forecast.

    Args:
        url: Address of the API; by default ``MAKE_US_RICH_API_URL``, else ``http://127.0.0.1:8000``.
        token: API token or login token; by default ``MAKE_US_RICH_TOKEN``.
        max_attempts: Requests in all if the connection fails or the API answers 502, 503 or 504; `add_alert` is only
            sent again if no connection was made. The waits between them are those of ``Retry-After``, else 0.5 s and
            twice as long each time.
        options: Of httpx's client, such as ``timeout``, ``proxy`` or ``verify``.
    """

    def __init__(
        self, url: str | None = None, token: str | None = None, *, max_attempts: int = 3, **options: Any
    ) -> None:
        self.url = (url or os.environ.get("MAKE_US_RICH_API_URL") or "http://127.0.0.1:8000").rstrip("/")
        secret = (token or os.environ.get("MAKE_US_RICH_TOKEN", "")).strip()
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._max_attempts = max_attempts
        self._open({"base_url": f"{self.url}/api/v1", "timeout": httpx.Timeout(30, connect=5)} | options)

    @method
    def pairs(self) -> Call[schemas.Pairs]:
        """What is served for each pair."""
        return Call("GET", "/pairs", schemas.Pairs)

    @method
    def model(self, pair: str) -> Call[schemas.Model]:
        """Manifest, model card and promotions of a pair's champion."""
        return Call("GET", _path("models", pair), schemas.Model)

    @method
    def past_forecasts(
        self, pair: str, horizon: int = 1, start: datetime | None = None, end: datetime | None = None
    ) -> Call[schemas.PastForecasts]:
        """The forecasts of one week with their outcomes, ``horizon`` hours ahead 1 to 24.

        With ``start`` or ``end``, those recorded from ``start`` on and before ``end``, up to 1,000; ``next_start`` of
        the answer is the ``start`` of the next ones.
        """
        params = {"horizon": horizon, "start": start and start.isoformat(), "end": end and end.isoformat()}
        return Call("GET", _path("forecasts", pair), schemas.PastForecasts, params)

    @method
    def record(self, pair: str) -> Call[PairRecord]:
        """Coverage, skill and reliability over each window of days, and every missed hour."""
        return Call("GET", _path("record", pair), PairRecord)

    @method
    def records(self) -> Call[PublicRecord]:
        """The same of all pairs."""
        return Call("GET", "/record", PublicRecord)

    @method
    def me(self) -> Call[schemas.Usage]:
        """The user and the calls of this month."""
        return Call("GET", "/me", schemas.Usage)

    @method
    def predict(self, pair: str) -> Call[schemas.Prediction]:
        """Five days of candles, and the distribution of the next 24 closes."""
        base, _, compare = pair.partition("_")
        if not base or not compare:
            raise UnknownPairError(f"{pair!r} is not a pair", "write base and quote as in 'btc_usdt'", "unknown_pair")
        return Call("GET", "/predict", schemas.Prediction, {"currency": base, "compare": compare})

    @method
    def probability(
        self, pair: str, price: float | Iterable[float], hours: int | None = None
    ) -> Call[answers.Probabilities]:
        """How likely one to 50 prices are closed above and below, and touched, within ``hours``; None for 1 to 24."""
        return Call("GET", _path("probability", pair), answers.Probabilities, {"price": _listed(price), "hours": hours})

    @method
    def quantiles(
        self, pair: str, level: float | Iterable[float], target: answers.Target = "close"
    ) -> Call[answers.Quantiles]:
        """Prices that closes, highs or lows stay at or below with up to 50 probabilities, 0.005 to 0.995."""
        return Call("GET", _path("quantiles", pair), answers.Quantiles, {"level": _listed(level), "target": target})

    @method
    def volatility(self, pair: str) -> Call[answers.Volatility]:
        """How far the price may move within 1 to 24 hours, and how that compares with the last year's forecasts."""
        return Call("GET", _path("volatility", pair), answers.Volatility)

    @method
    def risk(
        self,
        pair: str,
        size: float = 1.0,
        side: Literal["long", "short"] = "long",
        *,
        hours: int = 24,
        stop: float | None = None,
        target: float | None = None,
    ) -> Call[answers.Risk]:
        """What a position of ``size`` in base currency may gain or lose within ``hours``, 1 to 24."""
        params = {"size": size, "side": side, "hours": hours, "stop": stop, "target": target}
        return Call("GET", _path("risk", pair), answers.Risk, params)

    @method
    def portfolio_risk(self, holdings: Mapping[str, float], hours: int = 24) -> Call[answers.PortfolioRisk]:
        """What up to 50 holdings, sizes in base currency by pair (below 0: sold short), may gain or lose together."""
        parts = [{"pair": pair, "size": size} for pair, size in holdings.items()]
        body = {"holdings": parts, "hours": hours}
        return Call("POST", "/risk/portfolio", answers.PortfolioRisk, json=body, read_only=True)

    @method
    def scenarios(self, pair: str) -> Call[answers.Scenarios]:
        """Up to 1,000 equally likely joint paths of close, highest high and lowest low over 24 hours."""
        return Call("GET", _path("scenarios", pair), answers.Scenarios)

    @method
    def alerts(self) -> Call[list[Alert]]:
        """The user's alerts, oldest first, each with its last message."""
        return Call("GET", "/alerts", list[Alert])

    @method
    def add_alert(self, pair: str, rule: Rule, destination: str) -> Call[Alert]:
        """Add an alert, up to 20; ``destination`` is an address of Apprise, such as ``ntfys://ntfy.sh/topic``."""
        body = {"pair": pair, "rule": rule.model_dump(), "destination": destination}
        return Call("POST", "/alerts", Alert, json=body)

    @method
    def delete_alert(self, identity: str) -> Call[None]:
        """Delete one of the user's alerts by its ``id``."""
        return Call("DELETE", f"/alerts/{quote(identity, safe='')}", type(None))

    @abstractmethod
    def _open(self, options: dict[str, Any]) -> None: ...

    def _wait(self, call: Call[Any], outcome: Outcome, attempt: int) -> float | None:
        """Seconds until the next attempt; None if there is none."""
        if attempt >= self._max_attempts or not call.is_transient(outcome):
            return None
        asked = retry_after(outcome) if isinstance(outcome, httpx.Response) else None
        wait = FIRST_WAIT * 2 ** (attempt - 1) if asked is None else asked
        return wait if wait <= MAX_WAIT else None


class Client(Api):
    """The API for programs that wait for each answer; threads may share it.

    Example:
        >>> with Client(token="mur_…") as client:  # doctest: +SKIP
        ...     print(client.probability("btc_usdt", 70_000, hours=6).to_frame())
    """

    def _open(self, options: dict[str, Any]) -> None:
        self._http = httpx.Client(**options)

    def _send(self, call: Call[Any]) -> Outcome:
        try:
            return self._http.request(**call.request(self._headers))
        except httpx.RequestError as exc:
            return exc

    def call(self, call: Call[Parsed]) -> Parsed:
        """Make a call, as the methods do."""
        outcome, attempt = self._send(call), 1
        while (wait := self._wait(call, outcome, attempt)) is not None:
            time.sleep(wait)
            outcome, attempt = self._send(call), attempt + 1
        return call.result(outcome)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; leaving ``with`` does, too."""
        self._http.close()


class AsyncClient(Api):
    """The API for asyncio: the methods of `Client`, to be awaited.

    Example:
        >>> async with AsyncClient(token="mur_…") as client:  # doctest: +SKIP
        ...     btc, eth = await asyncio.gather(client.predict("btc_usdt"), client.predict("eth_usdt"))
    """

    def _open(self, options: dict[str, Any]) -> None:
        self._http = httpx.AsyncClient(**options)

    async def _send(self, call: Call[Any]) -> Outcome:
        try:
            return await self._http.request(**call.request(self._headers))
        except httpx.RequestError as exc:
            return exc

    async def call(self, call: Call[Parsed]) -> Parsed:
        """Make a call, as the methods do."""
        outcome, attempt = await self._send(call), 1
        while (wait := self._wait(call, outcome, attempt)) is not None:
            await asyncio.sleep(wait)
            outcome, attempt = await self._send(call), attempt + 1
        return call.result(outcome)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; leaving ``async with`` does, too."""
        await self._http.aclose()


def _path(name: str, pair: str) -> str:
    return f"/{name}/{quote(pair, safe='')}"


def _listed(values: float | Iterable[float]) -> list[float]:
    return list(values) if isinstance(values, Iterable) else [values]
