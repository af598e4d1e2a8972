"""The API as a process: streams, shutdown, everything down at once, and champions swapped under load."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from bad_artifacts import KINDS, spoil
from make_us_rich.replay import ReplayServer
from serving_process import PATIENCE, ApiProcess, has_told, ready, wait_until
from synthetic import STARTED, VERSION, pointer_of, store

NEXT = "2025-01-01T01.05.00.000Z"
LAST = "2025-01-02T01.05.00.000Z"
PREDICT = "/api/v1/predict?currency=btc&compare=usdt"
STREAM = "/api/v1/stream/btc_usdt"
Make = Callable[..., ApiProcess]
ON_BOTH = pytest.mark.parametrize("place", ["files", "servers"], indirect=True)


def me(api: ApiProcess, headers: dict[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = api.wait("/api/v1/me", 200, **headers).json()
    return told


def events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """Server-sent events; a heartbeat is the event ``alive``."""
    event: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            event[name or "alive"] = value
        elif event:
            yield event
            event = {}


def next_forecast(stream: Iterator[dict[str, str]]) -> dict[str, Any]:
    return next(json.loads(event["data"]) | {"id": event["id"]} for event in stream if event.get("event") == "forecast")


@ON_BOTH
def test_a_stream_has_one_forecast_for_each_closed_candle(process_of: Make, exchange: ReplayServer) -> None:
    api = ready(process_of)
    with httpx.stream("GET", api.url + STREAM, headers=api.bearer("ada"), timeout=PATIENCE) as answer:
        stream = events(answer.iter_lines())
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert next_forecast(stream)["id"] == "2025-03-01T10:00:00Z"
        assert "alive" in next(stream)

        exchange.clock.advance(timedelta(hours=1))
        assert next_forecast(stream)["forecast"]["issued_at"] == "2025-03-01T11:00:00Z"


def test_a_stream_does_not_repeat_what_the_client_has(process_of: Make, exchange: ReplayServer) -> None:
    api = ready(process_of)
    headers = {**api.bearer("ada"), "Last-Event-ID": "2025-03-01T10:00:00Z"}
    with httpx.stream("GET", api.url + STREAM, headers=headers, timeout=PATIENCE) as answer:
        stream = events(answer.iter_lines())
        exchange.clock.advance(timedelta(hours=1))
        assert next_forecast(stream)["id"] == "2025-03-01T11:00:00Z"

    # A block on its way back to the database is counted for a moment.
    wait_until(lambda: me(api, headers)["used"] == 1)


def test_a_stream_ends_with_the_quota(process_of: Make, exchange: ReplayServer) -> None:
    api = ready(process_of, monthly_calls=1)
    headers = api.bearer("ada")
    with httpx.stream("GET", api.url + STREAM, headers=headers, timeout=PATIENCE) as answer:
        stream = events(answer.iter_lines())
        next_forecast(stream)
        exchange.clock.advance(timedelta(hours=1))
        last = [event for event in stream if "event" in event][-1]

    assert last["event"] == "error"
    assert json.loads(last["data"])["error"]["code"] == "quota_exceeded"
    assert httpx.get(api.url + STREAM, headers=headers, timeout=PATIENCE).status_code == 429


@ON_BOTH
def test_it_ends_at_once_though_streams_are_open_and_gives_back_what_it_had_set_aside(process_of: Make) -> None:
    api = ready(process_of, shutdown_seconds=3600)
    headers = api.bearer("ada")
    with httpx.stream("GET", api.url + STREAM, headers=headers, timeout=PATIENCE) as answer:
        lines = answer.iter_lines()
        next(lines)
        api.stop()
        list(lines)
    assert "the API has ended" in api.log

    api.start()
    api.wait("/readyz")
    assert me(api, headers)["used"] == 1


def test_it_starts_with_everything_down_and_recovers_part_by_part(
    process_of: Make, project: Path, exchange: ReplayServer, tmp_path: Path
) -> None:
    exchange.stop()
    models, database = project / "data/06_models", tmp_path / "accounts.db"
    models.rename(project / "models")
    models.write_text("a file where the folder was")
    database.rename(tmp_path / "away.db")
    database.mkdir()
    api = process_of().start()
    wait_until(lambda: has_told(api, "reasons", "move that file away"))
    wait_until(lambda: has_told(api, "reasons", "the accounts database does not answer"))

    models.unlink()
    (project / "models").rename(models)
    api.wait("/api/v1/models/btc_usdt")
    assert has_told(api, "reasons", "the accounts database")

    database.rmdir()
    (tmp_path / "away.db").rename(database)
    api.wait("/readyz")
    assert has_told(api, "degraded", "cannot be reached")
    headers = api.bearer("ada")
    assert api.wait(PREDICT, 503, **headers).json()["error"]["code"] == "no_forecast"

    exchange.start()
    assert api.wait(PREDICT, 200, **headers).json()["forecast"]["version"] == VERSION
    assert api.wait("/readyz").json() == {"ready": True, "reasons": [], "degraded": [], "database": True}


def test_it_goes_on_with_everything_down_later(
    process_of: Make, project: Path, exchange: ReplayServer, tmp_path: Path
) -> None:
    api = ready(process_of)
    headers = api.bearer("ada")
    before = api.wait(PREDICT, 200, **headers).json()["forecast"]
    exchange.stop()
    models = project / "data/06_models"
    models.rename(project / "models")
    models.write_text("a file where the folder was")
    wait_until(lambda: has_told(api, "degraded", "move that file away"))
    wait_until(lambda: has_told(api, "degraded", "cannot be reached"))
    assert api.wait(PREDICT, 200, **headers).json()["forecast"] == before

    models.unlink()
    (project / "models").rename(models)
    exchange.clock.advance(timedelta(hours=1))
    exchange.start()
    wait_until(lambda: api.wait(PREDICT, 200, **headers).json()["forecast"]["issued_at"] == "2025-03-01T11:00:00Z")
    wait_until(lambda: api.wait("/readyz").json()["degraded"] == [])


def test_champions_are_swapped_under_load_without_a_failed_request(process_of: Make, project: Path) -> None:
    api = ready(process_of, monthly_calls=1_000_000)
    headers, stop = api.bearer("ada"), threading.Event()
    seen: list[list[tuple[int, str | None]]] = [[] for _ in range(4)]

    def ask(answers: list[tuple[int, str | None]]) -> None:
        with httpx.Client(base_url=api.url, headers=headers, timeout=PATIENCE) as client:
            while not stop.is_set():
                answer = client.put(PREDICT)
                answers.append((answer.status_code, answer.json().get("forecast", {}).get("version")))

    def each_has(version: str) -> bool:
        return all((200, version) in answers for answers in seen)

    clients = [threading.Thread(target=ask, args=(answers,)) for answers in seen]
    for client in clients:
        client.start()
    try:
        wait_until(lambda: each_has(VERSION))
        store(project, NEXT)
        wait_until(lambda: each_has(NEXT))
    finally:
        stop.set()
        for client in clients:
            client.join()

    assert set().union(*seen) == {(200, VERSION), (200, NEXT)}


def test_bad_artifacts_are_refused_and_nothing_in_them_is_executed(process_of: Make, project: Path) -> None:
    api = ready(process_of, monthly_calls=1_000_000)
    headers, marker = api.bearer("ada"), project / "executed"
    for number, (kind, signed) in enumerate(product(KINDS, (False, True)), start=1):
        version = f"2025-01-01T{number:02}.05.00.000Z"
        store(project, version, publish=False)
        spoil(project, version, kind, marker, signed=signed)
        promote(project, version)
        wait_until(lambda: has_told(api, "degraded", version))  # noqa: B023
        assert api.wait(PREDICT, 200, **headers).json()["forecast"]["version"] == VERSION

    assert not marker.exists()
    store(project, LAST)
    wait_until(lambda: api.wait(PREDICT, 200, **headers).json()["forecast"]["version"] == LAST)


def promote(project: Path, version: str) -> None:
    pointer = pointer_of(project)
    pointer.save(pointer.load().promote(version, STARTED + timedelta(days=1), "for a test"))


def test_no_secret_is_in_the_log(process_of: Make) -> None:
    api = ready(process_of)
    headers = api.bearer("ada")
    token = headers["Authorization"].removeprefix("Bearer ")
    credentials = {"name": "grace", "password": "cobol-of-1959"}
    with httpx.Client(base_url=api.url, timeout=PATIENCE) as client:
        made = client.post("/api/v1/register", json=credentials).json()
        client.get(f"{PREDICT}&token={token}")
        client.get(f"/api/v1/pairs?token={token}", headers=headers)
        client.post("/api/v1/login", json=credentials | {"password": 42})
    api.stop()

    secrets = [token, credentials["password"], made["api_token"], made["login_token"]]
    assert [secret for secret in secrets if secret in api.log] == []
    lines = [json.loads(line) for line in api.log.splitlines()]
    asked = [line for line in lines if line["message"] == "request"]
    assert {"method", "path", "status", "ms", "request_id"} <= asked[-1].keys()


def test_a_wrong_setting_ends_it_in_one_line(process_of: Make) -> None:
    api = process_of(candles_seconds=0)
    with pytest.raises(AssertionError):
        api.start()
    assert api.process is not None
    assert api.process.returncode == 2
    assert api.log == (
        "python -m serving: MAKE_US_RICH_CANDLES_SECONDS: Input should be greater than 0;"
        " correct it (docs/serving.md)\n"
    )
