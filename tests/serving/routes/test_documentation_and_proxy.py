"""The documentation page in a real browser, the API behind a real reverse proxy, and at IPv6 addresses."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from browser.conftest import chromium
from conftest import Nginx
from processes import PASSWORD, TIMEOUT, ApiProcess, published_api

FILES = ("openapi.json", "documentation/swagger-ui.css", "documentation/swagger-ui-bundle.js")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """A process with a forecast, at every address."""
    with published_api(tmp_path_factory.mktemp("api"), HOST="[::]") as started:
        yield started


def test_every_ipv6_and_ipv4_address_answers(api: ApiProcess) -> None:
    assert httpx.get(f"http://[::1]:{api.port}/healthz", timeout=TIMEOUT, trust_env=False).status_code == 200
    assert api.wait("/healthz").status_code == 200


@pytest.mark.slow
def test_the_page_shows_every_endpoint_and_requests_nothing_from_elsewhere(api: ApiProcess) -> None:
    requested: list[str] = []
    with chromium() as browser:
        page = browser.new_page()
        page.on("request", lambda request: requested.append(request.url))
        page.goto(api.url, timeout=120_000)
        page.wait_for_selector(".opblock", timeout=120_000)
        n_shown, text = page.locator(".opblock").count(), page.content()

    assert n_shown == sum(len(methods) for methods in api.wait("/openapi.json").json()["paths"].values())
    assert "/api/v1/predict" in text
    assert {urlsplit(url).netloc for url in requested if not url.startswith("data:")} == {urlsplit(api.url).netloc}
    assert api.wait("/documentation/swagger-ui.css").headers["content-type"] == "text/css; charset=utf-8"
    assert "invalid_request" in api.wait("/documentation/redoc.standalone.js", 422).text


@pytest.mark.parametrize("prefix", ["/crypto", "/api"])
@pytest.mark.parametrize("strip", [True, False], ids=["stripped", "kept"])
def test_documentation_login_and_stream_work_behind_a_prefix(
    api: ApiProcess, nginx: Nginx, strip: bool, prefix: str
) -> None:
    url = nginx.start(api.url, prefix, strip=strip)
    with httpx.Client(base_url=url, timeout=TIMEOUT, trust_env=False) as client:
        page = client.get("/").text
        assert client.get("/openapi.json").json()["servers"] == [{"url": prefix}]
        assert client.get("/documentation/swagger-ui.css").status_code == 200
        account = {"name": f"ada-{strip}-{prefix[1:]}", "password": PASSWORD}
        token = client.post("/api/v1/register", json=account).json()["api_token"]
        with client.stream("GET", "/api/v1/stream/btc_usdt", headers={"Authorization": f"Bearer {token}"}) as events:
            first = next(events.iter_lines())
        redirected = client.get("/api/v1/pairs/")
        assert client.get("/v2/nowhere").json()["code"] == "not_found"

    assert all(f'"{prefix}/{name}"' in page.replace("'", '"') for name in FILES)
    assert first == "event: forecast"
    assert (redirected.status_code, redirected.headers["location"]) == (307, f"{url}/api/v1/pairs")


def test_the_setting_replaces_the_header(nginx: Nginx, tmp_path) -> None:
    with published_api(tmp_path, ROOT_PATH="/crypto") as api:
        url = nginx.start(api.url, "/crypto", forward=False)

        assert "/crypto/openapi.json" in httpx.get(f"{url}/", timeout=TIMEOUT, trust_env=False).text
        assert api.wait("/healthz").json() == {"status": "alive"}


@pytest.mark.parametrize("prefix", ["//elsewhere.example", '/a"><script>', "crypto", "/../x y"])
def test_a_harmful_prefix_is_ignored(api: ApiProcess, prefix: str) -> None:
    page = httpx.get(f"{api.url}/", headers={"X-Forwarded-Prefix": prefix}, timeout=TIMEOUT, trust_env=False)

    assert page.status_code == 200
    assert prefix not in page.text
