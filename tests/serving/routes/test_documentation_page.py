"""The page at the root: every endpoint, in a real browser that has no internet."""

import shutil
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, sync_playwright

from serving_process import ApiProcess, ready

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
WAIT = 120_000


@pytest.fixture
def page() -> Iterator[Page]:
    """A tab."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no browser: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS), timeout=WAIT)
        yield browser.new_page()
        browser.close()


@pytest.mark.slow
def test_the_page_shows_every_endpoint_and_asks_nobody_else(process_of: Callable[..., ApiProcess], page: Page) -> None:
    api = ready(process_of)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(api.url, timeout=WAIT)
    page.wait_for_selector(".opblock", timeout=WAIT)
    described = api.wait("/openapi.json").json()["paths"]

    assert page.locator(".opblock").count() == sum(len(methods) for methods in described.values())
    assert "/api/v1/predict" in page.content()
    assert {urlsplit(url).netloc for url in asked if not url.startswith("data:")} == {urlsplit(api.url).netloc}


def test_what_the_page_needs_and_nothing_else_lies_beside_it(api) -> None:
    found = api.client.get("/documentation/swagger-ui.css")
    assert (found.status_code, found.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert api.client.get("/documentation/..%2fapp.py").status_code in (404, 422)
    assert api.client.get("/documentation/redoc.standalone.js").status_code == 422


def test_behind_a_proxy_the_page_finds_its_files(api) -> None:
    api.client.app.root_path = "/crypto"
    text = api.client.get("/").text
    assert "/crypto/openapi.json" in text
    assert "/crypto/documentation/swagger-ui.css" in text
