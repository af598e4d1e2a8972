"""The clients against the real API and its OpenAPI description."""

import asyncio
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from examples.freqtrade.strategies.sizing import HOURS, TOUCH, make_plan
from fresh_process import TRAINS, found, loaded_after
from live_files import write_record
from make_us_rich.client import (
    ApiError,
    AsyncClient,
    Client,
    InvalidRequestError,
    QuotaExceededError,
    UnauthorizedError,
    UnavailableError,
    UnknownPairError,
)
from make_us_rich.client import api as api_module
from make_us_rich.client.alerts import Stale
from make_us_rich.client.api import Api, Call
from make_us_rich.client.schemas import Fan, Pairs, Problem, Schema, Usage
from network import free_port
from processes import NOW, REPO, ApiProcess, published_api

CALLS: dict[str, tuple[Any, ...]] = {
    "pairs": (),
    "model": ("btc_usdt",),
    "past_forecasts": ("btc_usdt", 2),
    "record": ("btc_usdt",),
    "records": (),
    "me": (),
    "predict": ("btc_usdt",),
    "probability": ("btc_usdt", [13_000.0, 14_000.0], 6),
    "quantiles": ("btc_usdt", (0.1, 0.9), "high"),
    "volatility": ("btc_usdt",),
    "risk": ("btc_usdt", 0.5, "short"),
    "portfolio_risk": ({"btc_usdt": 0.5, "eth_usdt": -2.0},),
    "scenarios": ("btc_usdt",),
    "alerts": (),
    "add_alert": ("btc_usdt", Stale(kind="stale"), "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV"),
    "delete_alert": (lambda answers: answers["add_alert"].id,),
}
"""Arguments for each method; a function takes one from the answers so far."""
OF_NO_METHOD = re.compile(
    "(/v2|/api/v1/(admin/|update_|me/|log|tokens|register|password|alerts/stop|stream/|.*badge.svg|healthz|readyz|metrics|check_))"
    ".*|/healthz|/readyz|/metrics"
)
"""Probes, streams, pictures, and what is for logins and admins."""
NEW_EACH_TIME = {"age_seconds", "id", "created_at"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """The API with forecasts of two pairs."""
    with published_api(tmp_path_factory.mktemp("api"), "eth_usdt", SECRET_KEY="0" * 43 + "=") as started:
        yield started


def token_of(headers: dict[str, str]) -> str:
    return headers["Authorization"].removeprefix("Bearer ")


@pytest.fixture(scope="module")
def token(api: ApiProcess) -> str:
    """Of a user."""
    return token_of(api.bearer("ada"))


@pytest.fixture
def connect(api: ApiProcess) -> Iterator[Callable[..., Client]]:
    """Makes clients; they are closed with the test."""
    with ExitStack() as stack:
        yield lambda token, url=api.url, **options: stack.enter_context(Client(url, token, **options))


@pytest.fixture
def client(connect: Callable[..., Client], token: str) -> Client:
    """The user's client."""
    return connect(token)


def scripted(*responses: httpx.Response | Exception) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """A server that gives these responses one after the other, and what it has been asked."""
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        response = responses[len(seen)]
        seen.append(request)
        if isinstance(response, Exception):
            raise response
        return response

    return httpx.MockTransport(respond), seen


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that clients would have waited."""
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    # The names in the module: other threads of this process sleep, too.
    monkeypatch.setattr(api_module, "time", SimpleNamespace(sleep=waited.append))
    monkeypatch.setattr(api_module, "asyncio", SimpleNamespace(sleep=wait))
    return waited


def test_both_clients_get_the_same_answers_from_documented_paths(api: ApiProcess, token: str) -> None:
    assert {name for name in vars(Api) if not name.startswith("_")} == set(CALLS)
    seen: list[tuple[str, str]] = []
    hooks = {"request": [lambda request: seen.append((request.method, request.url.path))]}

    def call(client: Client | AsyncClient, name: str, answers: dict[str, Any]) -> Any:
        return getattr(client, name)(*(each(answers) if callable(each) else each for each in CALLS[name]))

    with Client(api.url, token, event_hooks=hooks) as client:
        answers: dict[str, Any] = {}
        for name in CALLS:
            answers[name] = call(client, name, answers)

    async def ask() -> dict[str, Any]:
        async with AsyncClient(api.url, token) as other:
            again: dict[str, Any] = {}
            for name in CALLS:
                again[name] = await call(other, name, again)
            return again

    again = asyncio.run(ask())
    for name in CALLS.keys() - {"me"}:
        one, other = (
            each[name].model_dump(exclude=NEW_EACH_TIME) if isinstance(each[name], Schema) else each[name]
            for each in (answers, again)
        )
        assert one == other
    assert again["me"].used > answers["me"].used

    described = json.loads((REPO / "docs/reference/openapi.json").read_text())["paths"]
    wanted = {
        (method, path)
        for path, methods in described.items()
        for method in methods
        if not OF_NO_METHOD.fullmatch(path) and (method, path) != ("put", "/api/v1/predict")
    }
    patterns = {(method, path): re.compile(re.sub(r"\{\w+\}", "[^/]+", path)) for method, path in wanted}
    matched = [
        {key for key, pattern in patterns.items() if key[0] == method.lower() and pattern.fullmatch(path)}
        for method, path in seen
    ]
    assert all(matched), "a method asks for a path that is not documented"
    assert set().union(*matched) == wanted, "a documented path has no method"


def test_files_are_read_by_pandas_from_their_address(api: ApiProcess, client: Client) -> None:
    record, paths = write_record(api.project, NOW, hours=30), client.scenarios("btc_usdt")
    frames = [
        pd.read_parquet(f"{client.url}/api/v1/{path}?format=parquet", storage_options=client._headers)
        for path in ("forecasts/btc_usdt", "scenarios/btc_usdt")
    ]

    pd.testing.assert_frame_equal(frames[0], record)
    assert len(client.past_forecasts("btc_usdt", start=NOW - timedelta(hours=9)).forecasts) == 9
    np.testing.assert_allclose(frames[1]["high"], np.ravel(paths.high), rtol=1e-9)
    assert frames[1]["closes_at"].iloc[3] == paths.closes_at[3]


def test_answers_as_frames(client: Client) -> None:
    prediction = client.predict("btc_usdt")
    fan, candles = prediction.forecast.to_frame(), prediction.data.to_frame()
    highs = client.quantiles("btc_usdt", np.array([0.1, 0.9]), "high").to_frame()
    answer = client.probability("btc_usdt", prediction.forecast.last_close * 1.01)
    paths = client.scenarios("btc_usdt")
    past = client.past_forecasts("btc_usdt").to_frame()

    assert fan.loc[prediction.forecast.closes_at[5], 0.95] == prediction.forecast.quantiles[5][-1]
    assert candles["close"].iloc[-1] == prediction.forecast.last_close
    assert (highs[0.9] >= fan[0.9]).all()
    assert answer.to_frame()["touch.probability"].to_list() == [each.touch.probability for each in answer.probabilities]
    assert paths.to_frame().loc[(7, paths.closes_at[3]), "high"] == paths.high[7][3]
    assert list(past.columns) == ["issued_at", "last_close", "outcome", *prediction.forecast.levels]
    assert client.volatility("btc_usdt").to_frame().loc[24, "sigma"] > 0


def test_the_example_of_the_page_runs(
    api: ApiProcess, token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAKE_US_RICH_API_URL", f"{api.url}/")
    monkeypatch.setenv("MAKE_US_RICH_TOKEN", f"{token}\n")
    example, *_ = re.findall(r"```python\n(.*?)```", (REPO / "docs/client.md").read_text(), re.DOTALL)
    with Client() as client:
        assert token not in repr(client) + repr(vars(client.me()))
        last = round(client.predict("btc_usdt").forecast.last_close)
    exec(example.replace("66_000", str(last - 500)).replace("70_000", str(last + 500)))

    assert re.match(r"the stop is reached with \d+%; VaR 95 %: \d+ USDT\n", capsys.readouterr().out)


def test_the_bot_stakes_what_loses_its_budget_in_the_worst_cases(client: Client) -> None:
    issued_at = client.volatility("btc_usdt").issued_at
    plan = make_plan(client, "btc_usdt", issued_at)
    assert plan is not None

    touched = client.probability("btc_usdt", [plan.stop, plan.target], hours=HOURS).probabilities
    assert [each.touch.probability for each in touched] == pytest.approx([TOUCH, TOUCH], abs=1e-3)
    size = plan.stake(budget=100) / plan.price
    risk = client.risk("btc_usdt", size, hours=HOURS, stop=plan.stop, target=plan.target)
    assert risk.tail[0].expected_shortfall == pytest.approx(100)
    assert plan.stop_first + plan.target_first + risk.exits.neither == pytest.approx(1)
    assert make_plan(client, "btc_usdt", issued_at + timedelta(hours=1)) is None


def test_errors_have_their_code_and_remedy(connect: Callable[..., Client], client: Client) -> None:
    refused: dict[type[ApiError], Callable[[], object]] = {
        UnauthorizedError: lambda: connect("mur_wrong").volatility("btc_usdt"),
        UnknownPairError: lambda: client.volatility("doge_usdt"),
        InvalidRequestError: lambda: client.risk("btc_usdt", stop=1e9),
        UnavailableError: lambda: connect("", f"http://127.0.0.1:{free_port()}", max_attempts=1).pairs(),
    }
    errors = {}
    for kind, call in refused.items():
        with pytest.raises(kind) as raised:
            call()
        errors[kind] = (raised.value.code, raised.value.status)
        assert raised.value.remedy

    assert list(errors.values()) == [
        ("unauthorized", 401),
        ("unknown_pair", 404),
        ("invalid_request", 422),
        ("unreachable", None),
    ]
    with pytest.raises(UnknownPairError, match="'btcusdt' is not a pair; write base and quote"):
        client.predict("btcusdt")


def test_a_used_up_quota_says_when_it_begins_again(api: ApiProcess, connect: Callable[..., Client]) -> None:
    admin, poor = connect(token_of(api.login("root", admin=True))), connect(token_of(api.bearer("poor")))
    admin.call(Call("PUT", "/admin/users/poor/limit", Usage, json={"monthly_limit": 1}))
    poor.volatility("btc_usdt")

    with pytest.raises(QuotaExceededError) as raised:
        poor.volatility("btc_usdt")
    assert (raised.value.limit, raised.value.reset_at) == (1, poor.me().reset_at)
    assert raised.value.code == "quota_exceeded"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_passes_is_tried_again_after_the_wait_that_the_api_asks_for(
    asynchronous: bool, waits: list[float]
) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    pairs = httpx.Response(200, json={"pairs": [], "as_of": None})
    transport, seen = scripted(
        httpx.ConnectError("refused"),
        httpx.Response(503),
        httpx.Response(503, headers={"Retry-After": "7"}),
        httpx.Response(502, headers={"Retry-After": at}),
        pairs,
    )

    async def ask() -> Pairs:
        async with AsyncClient(transport=transport, max_attempts=5) as client:
            return await client.pairs()

    answer = asyncio.run(ask()) if asynchronous else Client(transport=transport, max_attempts=5).pairs()
    assert answer.pairs == []
    assert len(seen) == 5
    assert waits == [0.5, 1.0, 7.0, pytest.approx(30, abs=2)]


@pytest.mark.parametrize(
    ("response", "attempts", "message"),
    [
        (httpx.Response(503), 3, "status 503"),
        (httpx.Response(503, headers={"Retry-After": "3600"}), 1, "status 503"),
        (httpx.Response(429, headers={"Retry-After": "1"}), 1, "status 429"),
        (httpx.Response(500), 1, "status 500"),
        (httpx.Response(200, json={"pairs": 3}), 1, "are of different releases; update both"),
        (httpx.ConnectError("refused"), 3, "no API answers"),
        (httpx.ReadTimeout("slow"), 1, "did not respond in time"),
    ],
    ids=lambda value: repr(value),
)
def test_what_does_not_pass_ends_in_an_error(
    response: httpx.Response | Exception, attempts: int, message: str, waits: list[float]
) -> None:
    transport, seen = scripted(*[response] * 3)

    with pytest.raises(ApiError, match=message):
        Client(transport=transport).pairs()
    assert (len(seen), len(waits)) == (attempts, attempts - 1)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("failure", "attempts"),
    [
        (502, 1),
        (503, 1),
        (504, 1),
        (httpx.ReadError("reset"), 1),
        (httpx.RemoteProtocolError("closed"), 1),
        (httpx.ConnectError("refused"), 3),
        (httpx.ConnectTimeout("slow"), 3),
    ],
    ids=lambda value: repr(value),
)
def test_an_alert_is_added_again_only_if_no_connection_was_made(
    asynchronous: bool, failure: int | Exception, attempts: int, waits: list[float]
) -> None:
    def count(name: str) -> int:
        transport, seen = scripted(*(httpx.Response(failure) if isinstance(failure, int) else failure for _ in "123"))

        async def ask() -> None:
            async with AsyncClient(transport=transport) as client:
                await getattr(client, name)(*CALLS[name])

        with pytest.raises(UnavailableError):
            asyncio.run(ask()) if asynchronous else getattr(Client(transport=transport), name)(*CALLS[name])
        return len(seen)

    assert (count("add_alert"), count("portfolio_risk")) == (attempts, 3)


RESET = {"X-RateLimit-Limit": "1", "X-RateLimit-Reset": "1740787200"}
USED_UP = Problem(
    type="", title="", status=429, detail="used up", instance="", code="quota_exceeded", request_id="a"
).model_dump()


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"X-RateLimit-Reset": "60"}, None, None),
        ({"X-RateLimit-Reset": "60", "X-RateLimit-Limit": "10, 10;w=60", "Retry-After": "60"}, None, 60),
        ({"X-RateLimit-Reset": "60.5", "Retry-After": "7"}, None, 7),
        ({"X-RateLimit-Reset": "Sat, 01 Mar 2025 00:00:00 GMT", "Retry-After": "7"}, None, 7),
        ({"Retry-After": "60.5"}, None, None),
        ({"Retry-After": "9" * 20}, None, None),
        (RESET | {"X-RateLimit-Reset": "60.5", "Retry-After": "7"}, USED_UP, 7),
        ({"X-RateLimit-Reset": "1740787200", "Retry-After": "7"}, USED_UP, 7),
        (RESET | {"X-RateLimit-Reset": "9" * 20}, USED_UP, None),
    ],
)
def test_a_429_of_a_gateway_is_an_error_of_the_client(
    headers: dict[str, str], body: dict[str, Any] | None, seconds: float | None
) -> None:
    transport, _ = scripted(httpx.Response(429, headers=headers, json=body))
    kind = QuotaExceededError if body else UnavailableError

    with pytest.raises(ApiError) as raised:
        Client(transport=transport).pairs()
    reset_at = raised.value.reset_at
    assert type(raised.value) is kind
    assert (reset_at and (reset_at - datetime.now(UTC)).total_seconds()) == (seconds and pytest.approx(seconds, abs=2))


def test_frames_say_that_they_need_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(ModuleNotFoundError, match="pip install pandas"):
        Fan(closes_at=[], levels=[], quantiles=[]).to_frame()


def test_the_clients_load_httpx_and_pydantic_and_nothing_heavy(tmp_path: Path) -> None:
    loaded = loaded_after("from make_us_rich.client import AsyncClient, Client; Client()", tmp_path)
    heavy = TRAINS | {"binance", "kedro", "numpy", "onnxruntime", "pandas", "pyarrow", "s3fs"}

    assert found(heavy, loaded) == set()
    assert {"httpx", "pydantic"} <= loaded
    assert "httpx" not in loaded_after("import make_us_rich.client.schemas", tmp_path)
