"""The API, an exchange whose clock a test moves, the interface, and a real browser with visitors."""

import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from interface.api_client import ApiClient
from network import free_port
from processes import NOW, PASSWORD, ApiProcess, OidcProvider, ServerProcess, make_admin, published_api

SCREENSHOTS = Path(__file__).resolve().parents[2] / ".screenshots" / "interface"
WAIT = 120_000
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
CHART = ".st-key-forecast-chart .js-plotly-plot"
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"

SECRETS = """\
[auth]
redirect_uri = "{interface}/oauth2callback"
cookie_secret = "engine-of-1843-engine-of-1843"
client_id = "make-us-rich"
client_secret = "any"
server_metadata_url = "{provider}/.well-known/openid-configuration"
expose_tokens = "id"
"""


@contextmanager
def chromium() -> Iterator[Any]:
    """The machine's own Chromium without a screen; ``make system-packages`` installs it."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise FileNotFoundError("no chromium: make system-packages installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS.split())
        yield browser
        browser.close()


class InterfaceProcess(ServerProcess):
    """The interface as a process."""

    module = "interface"
    alive = "/_stcore/health"

    def __init__(self, folder: Path, port: int, api_url: str) -> None:
        super().__init__(folder, port, {"API_URL": api_url, "INTERFACE_PORT": str(port)})


@dataclass(frozen=True)
class Site:
    """The interface with the API and the exchange behind it."""

    interface: InterfaceProcess
    api: ApiProcess
    provider: OidcProvider  # for a test to start

    def register(self, *, admin: bool = False) -> str:
        """The name of a new user with the password ``PASSWORD``."""
        name = f"ada-{secrets.token_hex(4)}"
        with ApiClient.connect(self.api.url, 30).http as http:
            ApiClient(http).register(name, PASSWORD)
        if admin:
            make_admin(self.api, name)
        return name

    def get(self, name: str, path: str) -> Any:
        """What the API responds to a user."""
        with ApiClient.connect(self.api.url, 30).http as http:
            token = ApiClient(http).log_in(name, PASSWORD).login_token
            return ApiClient(http, token).send("GET", path).json()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, store_evaluation: Any) -> Iterator[Site]:
    """A model with card and verdicts for btc_usdt, none for eth_usdt, and a month of candles with a gap."""
    folder, provider = tmp_path_factory.mktemp("site"), OidcProvider(tmp_path_factory.mktemp("oidc"), free_port(), {})
    variables = {"OIDC_ISSUER": provider.url, "OIDC_CLIENT_ID": "make-us-rich"}
    with published_api(folder, prepare=lambda project: store_evaluation(project, NOW), **variables) as api:
        interface = InterfaceProcess(api.project, free_port(), api.url)
        secrets_file = api.project / ".streamlit/secrets.toml"
        secrets_file.parent.mkdir()
        secrets_file.write_text(SECRETS.format(interface=interface.url, provider=provider.url))
        yield Site(interface.start(), api, provider)
        interface.stop()
        if provider.process:  # Of a test that failed.
            provider.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser; for a module only, because the event loop that playwright leaves disturbs other tests."""
    with chromium() as started:
        yield started


class Visitor:
    """Somebody with a browser profile of their own: cookies, theme, size, and a tab."""

    def __init__(self, context: Any, url: str) -> None:
        self.context, self.url, self.page = context, url, context.new_page()

    def open(self, path: str = "") -> "Visitor":
        self.page.goto(f"{self.url}/{path}")
        return self.settle()

    def log_in(self, name: str, password: str = PASSWORD) -> "Visitor":
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password", exact=True).fill(password)
        return self.presses("Log in")

    def enter(self, name: str, path: str = "") -> "Visitor":
        self.open(path).log_in(name)
        self.page.get_by_role("button", name="Log out", exact=True).wait_for(state="attached", timeout=WAIT)
        return self.settle()

    def settle(self) -> "Visitor":
        """Wait until the script has run and its elements are drawn."""
        self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=WAIT)
        self.page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')", timeout=WAIT)
        return self

    def sees(self, text: str) -> "Visitor":
        self.page.get_by_text(text).first.wait_for(timeout=WAIT)
        return self.settle()

    def sees_chart(self) -> "Visitor":
        self.page.locator(f"{CHART} .nsewdrag").first.wait_for(timeout=WAIT)
        return self.settle()

    def presses(self, name: str) -> "Visitor":
        self.page.get_by_role("button", name=name, exact=True).click()
        return self.settle()

    def waits_for(self, condition: str) -> "Visitor":
        """Put the browser's clock, which is to be installed before, forward until a condition in JavaScript holds."""
        from playwright.sync_api import TimeoutError as NotYetError

        for _ in range(120):
            with suppress(NotYetError):  # Unlike an evaluation it survives a reload.
                self.page.wait_for_function(condition, timeout=500)
                return self
            self.page.clock.fast_forward(15_000)
            self.settle()
        raise AssertionError(condition)

    def chooses(self, label: str, option: str) -> "Visitor":
        field = self.page.get_by_label(label).first
        field.scroll_into_view_if_needed()  # Scrolling closes the list.
        self.settle()
        field.click()
        self.page.get_by_role("option", name=option, exact=True).click()
        return self.settle()

    def fills(self, **values: str) -> "Visitor":
        """Type into inputs, named by how their labels begin."""
        for label, value in values.items():
            self.page.get_by_label(re.compile(f"^{label}")).fill(value)
        return self

    def shoot(self, name: str) -> "Visitor":
        """Save a screenshot of the whole page, and check that the page is not wider than the screen."""
        size, wide = self.page.viewport_size, self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"], f"{name} is {wide} pixels wide"
        tall = self.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        self.page.set_viewport_size({"width": size["width"], "height": max(size["height"], min(tall, 4000))})
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")
        self.page.set_viewport_size(size)
        return self


@pytest.fixture
def visitor(site: Site, browser: Any) -> Iterator[Callable[..., Visitor]]:
    """A new visitor at each call; all leave with the test."""
    contexts: list[Any] = []

    def make(theme: str = "light", size: dict[str, int] = DESKTOP, url: str = "") -> Visitor:
        contexts.append(browser.new_context(viewport=size, color_scheme=theme))
        return Visitor(contexts[-1], url or site.interface.url)

    yield make
    for context in contexts:
        context.close()
