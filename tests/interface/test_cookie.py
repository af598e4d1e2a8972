"""Tickets are good once and for a minute, and the cookie is out of reach of scripts and other sites."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from interface.cookie import NAME, PATH, ROUTES, TICKETS, Tickets

TOKEN = "mul_5Yb1l0gPz0WQy6QmCk1H9mYk3o8QmS4aB2nXv7cD1eE"
LATER = datetime.now(UTC) + timedelta(days=10)


@pytest.fixture
def client(asking: Callable[..., TestClient]) -> TestClient:
    return asking(Starlette(routes=ROUTES))


def keep(client: TestClient, **headers: str) -> str:
    ticket = TICKETS.issue(TOKEN, LATER)
    answer = client.post(PATH, headers={"x-ticket": ticket, **headers})
    assert answer.status_code == 204
    return answer.headers["set-cookie"]


def test_a_ticket_becomes_a_cookie_that_lasts_as_long_as_the_login(client: TestClient) -> None:
    cookie = keep(client)

    assert cookie.startswith(f"{NAME}={TOKEN};")
    assert f"expires={LATER:%a, %d %b %Y %H:%M:%S} GMT" in cookie


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: TestClient) -> None:
    cookie = keep(client)

    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


@pytest.mark.parametrize(("proto", "secure"), [("https", True), ("http", False)])
def test_the_cookie_is_secure_where_the_browser_speaks_https(client: TestClient, proto: str, secure: bool) -> None:
    assert ("Secure" in keep(client, **{"x-forwarded-proto": proto})) is secure


def test_a_ticket_is_good_once(client: TestClient) -> None:
    ticket = TICKETS.issue(TOKEN, LATER)

    assert [client.post(PATH, headers={"x-ticket": ticket}).status_code for _ in range(2)] == [204, 410]


def test_an_unknown_ticket_is_worth_nothing(client: TestClient) -> None:
    answer = client.post(PATH, headers={"x-ticket": "guessed"})

    assert answer.status_code == 410
    assert "set-cookie" not in answer.headers


def test_a_ticket_is_good_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    tickets, now = Tickets(), time.monotonic()
    ticket = tickets.issue(TOKEN, LATER)
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)

    assert tickets.redeem(ticket) is None


def test_the_cookie_is_dropped_at_log_out(client: TestClient) -> None:
    keep(client)
    answer = client.delete(PATH, headers={"x-ticket": "any"})

    assert answer.status_code == 204
    assert NAME not in client.cookies


def test_another_site_cannot_log_somebody_out(client: TestClient) -> None:
    assert client.delete(PATH).status_code == 403
