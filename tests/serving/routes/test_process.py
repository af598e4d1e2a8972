"""The API as a process: streams, shutdown, champions replaced under load, and its log."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from live_files import HOUR
from make_us_rich.logs import without_secrets
from network import TIMEOUT, wait_until
from processes import ApiProcess, api_in
from serving.main import main
from synthetic import VERSION

from ..conftest import Place
from .conftest import PREDICT

NEXT = "2025-01-01T01.05.00.000Z"
STREAM = "/api/v1/stream/btc_usdt"


@pytest.fixture(scope="module")
def place(make_place) -> Place:
    """A project in a bucket."""
    made: Place = make_place("bucket")
    return made


@pytest.fixture(scope="module")
def api(place: Place, new_database, market) -> Iterator[ApiProcess]:
    """The API as a process, on servers."""
    limits = {"SHUTDOWN_SECONDS": 3600, "HEARTBEAT_SECONDS": 0.3}
    with api_in(place.project, market, DATABASE_URL=new_database(), **limits) as started:
        yield started


class Stream:
    """Server-sent events of an open stream; a heartbeat is the event ``alive``."""

    def __init__(self, answer: httpx.Response) -> None:
        self.lines = answer.iter_lines()

    def __iter__(self) -> Iterator[dict[str, str]]:
        event: dict[str, str] = {}
        for line in self.lines:
            name, _, value = line.partition(": ")
            if line:
                event[name or "alive"] = value
            elif event:
                yield event
                event = {}

    def next_forecast(self) -> dict[str, Any]:
        event = next(event for event in self if event.get("event") == "forecast")
        return {**json.loads(event["data"]), "id": event["id"]}


@contextmanager
def follow(api: ApiProcess, headers: dict[str, str]) -> Iterator[Stream]:
    """Open a stream of btc_usdt."""
    with httpx.stream("GET", api.url + STREAM, headers=headers, timeout=TIMEOUT) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer)


def used(api: ApiProcess, headers: dict[str, str]) -> int:
    """The counted calls."""
    calls: int = api.wait("/api/v1/me", 200, **headers).json()["used"]
    return calls


def limited(api: ApiProcess, name: str, calls: int) -> dict[str, str]:
    """A header with the API token of a new user of so many calls a month."""
    headers, root = api.bearer(name), api.login(f"root-{name}", admin=True)
    limit = {"monthly_limit": calls}
    httpx.put(
        f"{api.url}/api/v1/admin/users/{name}/limit", json=limit, headers=root, timeout=TIMEOUT
    ).raise_for_status()
    return headers


def test_a_stream_has_one_forecast_for_each_closed_candle_and_ends_with_the_quota(api: ApiProcess) -> None:
    headers = limited(api, "ada", 2)
    newest = api.wait("/api/v1/pairs").json()["pairs"][0]["issued_at"]
    with follow(api, headers) as stream:
        assert stream.next_forecast()["id"] == newest
        assert "alive" in next(iter(stream))
        api.exchange.clock.advance(HOUR)
        assert (next_id := stream.next_forecast()["id"]) > newest
        api.exchange.clock.advance(HOUR)
        last = [event for event in stream if "event" in event][-1]

    assert next_id == "2025-03-01T11:00:00Z"
    assert last["event"] == "error"
    assert "quota_exceeded" in last["data"]
    assert httpx.get(api.url + STREAM, headers=headers, timeout=TIMEOUT).status_code == 429


def test_a_stream_does_not_repeat_a_forecast_that_the_client_has(api: ApiProcess) -> None:
    newest = api.wait("/api/v1/pairs").json()["pairs"][0]["issued_at"]
    headers = {**api.bearer("grace"), "Last-Event-ID": newest}
    with follow(api, headers) as stream:
        api.exchange.clock.advance(HOUR)
        assert stream.next_forecast()["id"] > newest

    # A lease on its way back to the database is counted for a moment.
    wait_until(lambda: used(api, headers) == 1)


def test_champions_are_replaced_under_load_without_a_failed_request(api: ApiProcess, place: Place) -> None:
    headers, stop = limited(api, "linus", 1_000_000), threading.Event()
    seen: list[list[tuple[int, str | None]]] = [[] for _ in range(4)]

    def call_until_stopped(answers: list[tuple[int, str | None]]) -> None:
        with httpx.Client(base_url=api.url, headers=headers, timeout=TIMEOUT) as client:
            while not stop.is_set():
                answer = client.put(PREDICT)
                answers.append((answer.status_code, answer.json().get("forecast", {}).get("version")))

    with ThreadPoolExecutor() as clients:
        running = [clients.submit(call_until_stopped, answers) for answers in seen]
        try:
            wait_until(lambda: all((200, VERSION) in answers for answers in seen))
            place.publish(NEXT)
            wait_until(lambda: all((200, NEXT) in answers for answers in seen))
        finally:
            stop.set()
    assert [each.result() for each in running] == [None] * 4
    assert set().union(*seen) == {(200, VERSION), (200, NEXT)}


def test_open_streams_do_not_delay_the_end_leased_calls_are_returned_and_no_secret_is_logged(api: ApiProcess) -> None:
    headers = api.bearer("barbara")
    token = headers["Authorization"].removeprefix("Bearer ")
    credentials = {"name": "edsger", "password": "cobol-of-1959"}
    with httpx.Client(base_url=api.url, timeout=TIMEOUT) as client:
        made = client.post("/api/v1/register", json=credentials).json()
        client.get(f"/api/v1/pairs?token={token}", headers=headers)
        client.post("/api/v1/login", json=credentials | {"password": 42})
    with follow(api, headers) as stream:
        stream.next_forecast()
        api.stop()
        list(stream)
    log = api.log
    assert "the API has ended" in log
    secrets = [token, credentials["password"], made["api_token"], made["login_token"]]
    assert [secret for secret in secrets if secret in log] == []
    lines = [json.loads(line) for line in log.splitlines()]
    asked = [line for line in lines if line["message"] == "request"]
    assert {"method", "path", "status", "ms", "request_id"} <= asked[-1].keys()

    api.start().wait("/readyz")
    assert used(api, headers) == 1


def test_a_wrong_setting_ends_it_in_one_line(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MAKE_US_RICH_CANDLES_SECONDS", "0")

    assert main() == 2
    assert capsys.readouterr().err == (
        "python -m serving: MAKE_US_RICH_CANDLES_SECONDS: Input should be greater than 0; correct it (docs/api.md)\n"
    )


def test_secrets_are_left_out() -> None:
    token = "Zk3o8QmS4aB2nXv7cD1eE5Yb1l0gPz0WQy6QmCk1H9m"
    masked = {
        "cannot reach postgresql://app:hunter2@db/accounts": "cannot reach postgresql://***@db/accounts",
        "GET /api/v1/predict?currency=btc&token=abcdefgh&x=1": "GET /api/v1/predict?currency=btc&token=***&x=1",
        **{f"revoked mu{kind}_{token}, again": "revoked ***, again" for kind in "rlp"},
        "Authorization: Bearer opensesame42": "Authorization: Bearer ***",
        "password=hunter2, again": "password=***, again",
    }
    assert {text: without_secrets(text) for text in masked} == masked
