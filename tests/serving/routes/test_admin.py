"""An admin changes what is served, rolls a pair back, and looks at the last hourly runs; in a bucket."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from fastapi.routing import APIRoute

from make_us_rich.domain.model_card import ModelCard
from make_us_rich.domain.run_log import PipelineRun, write_runs
from make_us_rich.locks import pair_lock
from make_us_rich.repository import ModelRepository
from network import refusal
from serving.accounts.tables import ADMIN
from serving.routes import admin
from synthetic import VERSION

NEXT = "2025-01-01T01.05.00.000Z"  # Promoted on 2025-01-01 at 01:05, an hour after the first.
CHAMPION = "/api/v1/admin/pairs/btc_usdt/champion"
RUNS = "/api/v1/admin/runs"


@pytest.fixture(scope="module")
def api(open_api) -> Iterator[Any]:
    """The API with the first of two versions in a bucket: the second was published after it has started."""
    with open_api(kind="bucket") as started:
        started.place.publish(NEXT)
        yield started


@pytest.fixture(scope="module")
def call(api):
    """Sends requests of an admin."""
    headers = {"Authorization": f"Bearer {api.register(ADMIN).login_token}"}
    return partial(api.client.request, headers=headers)


def test_the_newest_champions_or_those_of_a_date_are_loaded(call, api) -> None:
    assert call("PUT", "/api/v1/update_models").json() == {"number": 1, "models": ["btc_usdt"]}
    assert api.service.get("btc_usdt").forecast.version == NEXT

    pointer = api.place.project / "data/06_models/btc_usdt/champion.json"
    pointer.write_text(pointer.read_text().replace("2025-01-01T01:05:00Z", "2025-01-02T01:05:00Z"))
    api.place.send()
    past = call("PUT", "/api/v1/update_date?date=2025-01-01").json()
    assert (past["as_of"], past["pairs"][0]["version"]) == ("2025-01-01T23:59:59.999999Z", VERSION)
    answer = call("PUT", "/api/v1/update_date?date=2024-12-31")
    assert refusal(answer) == (409, "cannot_roll_back")
    assert "choose a later date" in answer.text
    assert api.client.get("/api/v1/pairs").json()["pairs"] == past["pairs"]

    current = call("PUT", "/api/v1/update_date").json()
    assert (current["as_of"], current["pairs"][0]["version"]) == (None, NEXT)
    member = api.bearer()
    for path in ("/api/v1/update_models", "/api/v1/update_date"):
        assert [api.client.put(path, headers=each).status_code for each in ({}, member)] == [401, 403]


def test_an_admin_may_send_an_api_token_but_no_login_token_in_the_query(api) -> None:
    tokens = api.register(ADMIN)
    put = partial(api.client.put, "/api/v1/update_models")

    assert refusal(put(params={"token": tokens.login_token})) == (401, "unauthorized")
    assert put(params={"token": tokens.api_token}).status_code == 200


def test_a_pair_is_rolled_back_and_forward_and_served_at_once(call, api) -> None:
    listed = call("GET", CHAMPION).json()
    assert (listed["pair"], listed["version"]) == ("btc_usdt", NEXT)
    assert [each["version"] for each in listed["earlier"]] == [VERSION]
    with pair_lock(api.service.repository.root, "btc_usdt", api.place.credentials):
        locked = call("PUT", CHAMPION)
    assert refusal(locked) == (409, "locked")
    assert "wait for it to end" in locked.text

    problem = "not calibrated yet: btc_usdt.klines: it is not stored"
    message = f"btc_usdt: now serving {VERSION}, rolled back from {NEXT}; {problem}"
    assert call("PUT", CHAMPION).json() == {"pair": "btc_usdt", "version": VERSION, "message": message}
    assert api.service.repository.pointer("btc_usdt").version == VERSION
    assert api.service.get("btc_usdt").forecast.version == VERSION

    assert call("PUT", f"{CHAMPION}?version={NEXT}").json()["version"] == NEXT
    assert call("PUT", f"{CHAMPION}?version={NEXT}").json()["message"] == f"btc_usdt: already serving {NEXT}"
    for path, status, remedy in (
        (f"{CHAMPION}?version=2024-01-01T00.00.00.000Z", 409, f"choose one of GET {CHAMPION}"),
        (f"{CHAMPION}?version=../../../x", 422, "GET / documents every endpoint"),
        ("/api/v1/admin/pairs/doge_usdt/champion", 404, "choose one of GET /api/v1/pairs"),
    ):
        refused = call("PUT", path)
        assert (refused.status_code, remedy in refused.text) == (status, True)
    assert api.service.repository.pointer("btc_usdt").version == NEXT


def test_a_model_has_its_manifest_promotions_and_card_if_it_is_readable(api, monkeypatch: pytest.MonkeyPatch) -> None:
    card = api.place.project / f"data/06_models/btc_usdt/card.json/{NEXT}/card.json"
    card.parent.mkdir(parents=True)
    card.write_text('{"written by": "another release"}')
    api.place.send()
    api.service.models.reload()
    model = api.client.get("/api/v1/models/btc_usdt").json()

    assert (model["version"], model["manifest"]["feature_set"], model["card"]) == (NEXT, "returns", None)
    assert {each["version"] for each in model["promotions"]} == {VERSION, NEXT}
    assert api.client.get("/api/v1/check_models_number").json() == {"number": 1, "models": ["btc_usdt"]}

    readable = ModelCard.model_construct(pair="btc_usdt", described={"har": "a linear model"})
    monkeypatch.setattr(ModelRepository, "card", lambda *_: readable)
    api.service.models.reload()
    assert api.client.get("/api/v1/models/btc_usdt").json()["card"] == readable.model_dump(mode="json")


def test_every_endpoint_for_admins_requires_the_login_of_an_admin(api) -> None:
    member, other, root = api.register(), api.register(), api.register(ADMIN)
    refused = [None, "mul_" + "a" * 43, member.api_token, member.login_token, root.api_token]
    bodies = {"roles": {"roles": ["admin"]}, "limit": {"monthly_limit": 5}}
    endpoints = [route for route in admin.router.routes if isinstance(route, APIRoute)]
    assert len(endpoints) >= 12
    for route in endpoints:
        path = "/api/v1" + route.path.format(name=other.name, role="member", pair="btc_usdt")
        body = bodies.get(path.rsplit("/", 1)[1]) if "PUT" in route.methods else None
        headers = [{"Authorization": f"Bearer {token}"} for token in (*refused, root.login_token)]
        statuses = [api.client.request(*route.methods, path, json=body, headers=each).status_code for each in headers]
        assert statuses[:-1] == [401, 401, 403, 403, 403], route.path
        assert statuses[-1] in {200, 204, 409}, route.path


def test_the_newest_runs_come_first_and_a_damaged_log_is_reported(call, api) -> None:
    def save(content: object) -> None:
        api.service.repository.catalog.save("btc_usdt.runs", content)

    assert call("GET", RUNS).json() == {"runs": [], "problems": []}
    run = PipelineRun(
        pair="btc_usdt",
        pipeline="monitor_btc_usdt",
        started=datetime(2025, 3, 1, 9, tzinfo=UTC),
        ended=datetime(2025, 3, 1, 9, 9, tzinfo=UTC),
        exit_code=0,
        reason="the forecast is recorded",
    )
    later = {name: getattr(run, name) + timedelta(hours=1) for name in ("started", "ended")}
    failed = run.model_copy(update={**later, "exit_code": 1, "reason": "the exchange does not answer"})
    save(write_runs([run, failed]))
    first, second = call("GET", RUNS).json()["runs"]
    assert first == {
        "pair": "btc_usdt",
        "pipeline": "monitor_btc_usdt",
        "hour": "2025-03-01T10:00:00Z",
        "started": "2025-03-01T10:00:00Z",
        "ended": "2025-03-01T10:09:00Z",
        "ok": False,
        "exit_code": 1,
        "reason": "the exchange does not answer",
        "missed": 0,
    }
    assert (second["ok"], second["ended"]) == (True, "2025-03-01T09:09:00Z")

    save(write_runs([run.model_copy(update={"started": run.started + timedelta(hours=at)}) for at in range(30)]))
    assert [len(call("GET", path).json()["runs"]) for path in (RUNS, f"{RUNS}?most=2")] == [25, 2]
    assert call("GET", f"{RUNS}?most=0").status_code == 422
    save({"runs": [{"pair": "btc_usdt"}]})
    problem = "btc_usdt: the run log is damaged; delete the pair's runs.json"
    assert call("GET", RUNS).json() == {"runs": [], "problems": [problem]}


def test_a_store_that_is_down_is_503_for_the_admin(start_api) -> None:
    api = start_api()
    folder = api.place.project / "data/06_models"
    folder.rename(api.place.project / "gone")
    folder.write_text("a file where the folder was")

    assert refusal(api.client.put("/api/v1/update_models", headers=api.bearer(ADMIN))) == (503, "store_unavailable")
