"""The API on a published model, the interface in front of it, and a real browser; each started once."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chromium import chromium
from conftest import free_port
from interface.api_client import ApiClient
from interface_process import InterfaceProcess
from published_api import PASSWORD, make_admin, published_api
from serving_process import ApiProcess

REPO = Path(__file__).resolve().parents[2]
SCREENSHOTS = REPO / ".screenshots" / "interface"
WAIT = 30_000
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@dataclass(frozen=True)
class Site:
    """The interface and the API behind it."""

    interface: InterfaceProcess
    api: ApiProcess

    def register(self, *, admin: bool = False, limit: int | None = None) -> str:
        """The name of a new user; the password is everybody's."""
        name = f"ada-{secrets.token_hex(4)}"
        with ApiClient.at(self.api.url, 30).http as http:
            ApiClient(http).register(name, PASSWORD)
            if limit is not None:
                self._limit(http, name, limit)
        if admin:
            make_admin(self.api, name)
        return name

    def _limit(self, http: Any, name: str, limit: int) -> None:
        root = f"root-{secrets.token_hex(4)}"
        token = ApiClient(http).register(root, PASSWORD).login_token
        make_admin(self.api, root)
        ApiClient(http, token).set_limit(name, limit)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Both, on free ports."""
    folder = tmp_path_factory.mktemp("site")
    with published_api(folder) as api:
        interface = InterfaceProcess(folder, free_port(), api.url).start()
        try:
            yield Site(interface, api)
        finally:
            interface.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser; not for longer than a module: the loop that playwright leaves running is in others' way."""
    with chromium() as started:
        yield started


class Visitor:
    """Somebody with a browser of their own: cookies, theme and size.

    Attributes:
        page: The tab that is looked at.
    """

    def __init__(self, site: Site, context: Any) -> None:
        self.site = site
        self.context = context
        self.page = context.new_page()

    def open(self, path: str = "") -> "Visitor":
        """Go to a page, and wait until it is drawn."""
        self.page.goto(f"{self.site.interface.url}/{path}")
        return self.settle()

    def log_in(self, name: str, password: str = PASSWORD) -> "Visitor":
        """Fill in the form and send it."""
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Log in", exact=True).click()
        return self.settle()

    def enter(self, name: str) -> "Visitor":
        """Log in somebody who is known."""
        self.open().log_in(name)
        self.page.get_by_role("button", name="Log out").wait_for(state="attached", timeout=WAIT)
        return self.settle()

    def settle(self) -> "Visitor":
        """Wait until the script has run and what it says is drawn."""
        self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=WAIT)
        self.page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')", timeout=WAIT)
        self.page.wait_for_timeout(300)
        return self

    def sees(self, text: str) -> "Visitor":
        """Wait for a text."""
        self.page.get_by_text(text).first.wait_for(timeout=WAIT)
        return self.settle()

    def presses(self, name: str) -> "Visitor":
        """Press a button."""
        self.page.get_by_role("button", name=name, exact=True).click()
        return self.settle()

    def shoot(self, name: str) -> "Visitor":
        """Keep what the page looks like, from top to bottom, and that nothing runs over its side."""
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= self.page.viewport_size["width"], f"{name} is {wide} pixels wide"
        tall = self.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        was = self.page.viewport_size
        self.page.set_viewport_size({"width": was["width"], "height": max(was["height"], min(tall, 4000))})
        self.page.wait_for_timeout(300)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")
        self.page.set_viewport_size(was)
        return self


@pytest.fixture
def visitor(site: Site, browser: Any) -> Iterator[Callable[..., Visitor]]:
    """Somebody new each time it is called; everybody leaves with the test."""
    contexts: list[Any] = []

    def make(theme: str = "light", size: dict[str, int] = DESKTOP) -> Visitor:
        contexts.append(browser.new_context(viewport=size, color_scheme=theme))
        return Visitor(site, contexts[-1])

    yield make
    for context in contexts:
        context.close()
