"""The process of the interface: settings, address, imports, the route that sets the cookie, and failures of the API."""

import re
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from browser.conftest import InterfaceProcess
from fresh_process import TRAINS, found, loaded_after
from interface.__main__ import main
from interface.api_client import ApiClient
from interface.session import COOKIE, COOKIE_PATH, ROUTES, issue_ticket, settings
from make_us_rich.client import ApiError, UnauthorizedError, UnavailableError
from make_us_rich.client.schemas import Login
from make_us_rich.domain.errors import ParameterError
from network import free_port
from processes import PASSWORD

REPO = Path(__file__).resolve().parents[2]
PAGE = REPO / "docs" / "interface.md"
PAGES = "import interface.__main__\nfrom interface.pages import account, admin, forecast, models, record, risk\n"
LATER = datetime.now(UTC) + timedelta(days=10)
LOGIN = Login(name="ada", roles=[], login_token="mul_5Yb1l0gPz0WQy6QmCk1H9mYk3o8QmS4aB2nXv7cD1eE", expires_at=LATER)


def test_it_listens_on_ipv6_and_ipv4_and_reports_a_taken_port(tmp_path) -> None:
    process = InterfaceProcess(tmp_path, free_port(), "http://127.0.0.1:1")
    process.variables["PROJECT"] = str(REPO)
    process.variables["INTERFACE_HOST"] = "[::]"
    process.start()  # Waits for an answer on 127.0.0.1.
    try:
        url = f"http://[::1]:{process.port}/_stcore/health"
        assert httpx.get(url, timeout=60, trust_env=False).status_code == 200
        command = [sys.executable, "-m", "interface"]
        second = subprocess.run(command, env=process.environment, capture_output=True, text=True, timeout=120)
    finally:
        process.stop()
    assert second.returncode == 2
    assert f"cannot listen on :: port {process.port}: Address already in use; stop the process" in second.stderr


def test_it_does_not_start_without_the_project_whose_catalog_it_reads(monkeypatch, tmp_path: Path, capsys) -> None:
    monkeypatch.delenv("MAKE_US_RICH_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path)

    assert main() == 2
    assert "no project at or above" in capsys.readouterr().err


def test_it_imports_nothing_that_trains_or_speaks_sql(tmp_path: Path) -> None:
    loaded = loaded_after(PAGES, tmp_path)
    assert found(TRAINS | {"alembic", "onnxruntime", "psycopg2", "serving", "sqlalchemy"}, loaded) == set()
    assert "streamlit" in loaded


def test_settings_are_documented_with_their_defaults(forget_caches, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = dict(re.findall(r"^\| `MAKE_US_RICH_(\w+)` \| (.+?) \|", PAGE.read_text(), re.MULTILINE))
    for name in rows:
        monkeypatch.delenv(f"MAKE_US_RICH_{name}", raising=False)
    defaults = settings()
    expected = {"API_URL": defaults.api_url, "INTERFACE_HOST": defaults.host, "INTERFACE_PORT": str(defaults.port)}
    assert {name: rows[name].strip("`") for name in expected} == expected
    assert {"PUBLIC_API_URL", "MLFLOW_URL"} <= rows.keys()
    assert defaults.public_api_url == defaults.api_url
    forget_caches()
    monkeypatch.setenv("MAKE_US_RICH_PUBLIC_API_URL", "https://mur.test/")
    assert (settings().api_url, settings().public_api_url) == (defaults.api_url, "https://mur.test")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("API_URL", "127.0.0.1:8000", "is not an HTTP address; write"),
        ("INTERFACE_PORT", "65536", "is not a port"),
        ("INTERFACE_PORT", "-1", "is not a port"),
    ],
)
def test_a_wrong_setting_is_named(forget_caches, monkeypatch, name: str, value: str, message: str) -> None:
    monkeypatch.setenv(f"MAKE_US_RICH_{name}", value)
    with pytest.raises(ParameterError, match=f"MAKE_US_RICH_{name}: {value} {message}"):
        settings()


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=ROUTES))


@pytest.mark.parametrize(("proto", "secure"), [("https", True), ("http", False)])
def test_a_ticket_becomes_a_cookie_that_scripts_and_other_sites_cannot_use(client, proto: str, secure: bool) -> None:
    answer = client.post(COOKIE_PATH, headers={"x-ticket": issue_ticket(LOGIN), "x-forwarded-proto": proto})
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 204
    assert cookie.startswith(f"{COOKIE}={LOGIN.login_token};")
    assert f"expires={LATER:%a, %d %b %Y %H:%M:%S} GMT" in cookie
    assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
    assert ("Secure" in cookie) is secure


def test_a_ticket_is_good_once_and_for_a_minute_and_a_guessed_one_never(client: TestClient, monkeypatch) -> None:
    used, late, now = issue_ticket(LOGIN), issue_ticket(LOGIN), time.monotonic()
    assert client.post(COOKIE_PATH, headers={"x-ticket": used}).status_code == 204
    monkeypatch.setattr("interface.session.time.monotonic", lambda: now + 61)
    for ticket in (used, late, "guessed"):
        assert client.post(COOKIE_PATH, headers={"x-ticket": ticket}).status_code == 410


def test_the_cookie_is_deleted_at_log_out_but_not_by_another_site(client: TestClient) -> None:
    client.post(COOKIE_PATH, headers={"x-ticket": issue_ticket(LOGIN)})
    assert client.delete(COOKIE_PATH).status_code == 403
    assert client.delete(COOKIE_PATH, headers={"x-ticket": "any"}).status_code == 204
    assert COOKIE not in client.cookies


def test_attempts_are_limited_by_the_users_address(anybody, name) -> None:
    anybody.register(name, PASSWORD)
    one, other = replace(anybody, address="192.0.2.1"), replace(anybody, address="192.0.2.2")
    for _ in range(10):
        with pytest.raises(UnauthorizedError):
            one.log_in(name, "not-the-password")
    with pytest.raises(UnavailableError) as limited:
        one.log_in(name, PASSWORD)
    assert limited.value.status == 429
    assert limited.value.reset_at > datetime.now(UTC)
    assert other.log_in(name, PASSWORD).name == name


def test_failures_without_a_response_of_the_api_are_named(api, silent) -> None:
    def failure(url: str) -> ApiError:
        with pytest.raises(ApiError) as failed, ApiClient.connect(url, 0.5).http as http:
            ApiClient(http).pairs()
        return failed.value

    nowhere = f"http://127.0.0.1:{free_port()}"
    assert (failure(nowhere).code, failure(nowhere).message) == ("unreachable", f"no API answers at {nowhere}")
    assert failure(silent).code == "timeout"
    assert failure(api.exchange.url).message == "the API responds with status 404"
