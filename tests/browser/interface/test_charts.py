"""The pages Forecast and Models in a real browser: in both themes, on a phone, zoomed, refreshed, the API away."""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import free_port
from interface.api_client import ApiClient
from interface_process import InterfaceProcess
from judged import judge
from make_us_rich.replay import Clock, Faults, ReplayServer, SimulatedMarket
from published_api import NOW, PASSWORD
from serving_process import ApiProcess
from synthetic import VERSION, lay_out, store

pytestmark = pytest.mark.slow

WAIT = 60_000
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
LOOKS = [
    ("light", DESKTOP, "light"),
    ("dark", DESKTOP, "dark"),
    ("light", PHONE, "phone"),
    ("dark", PHONE, "dark-phone"),
]
LOOK = pytest.mark.parametrize(("theme", "size", "look"), LOOKS, ids=[look for _, _, look in LOOKS])
CHART = ".st-key-forecast-chart .js-plotly-plot"
RANGES = (
    f"(() => {{ const l = document.querySelector('{CHART}').layout; return [...l.xaxis.range, ...l.yaxis.range] }})()"
)
DRAWN = f"document.querySelector('{CHART}')?.data?.find(each => each.type === 'candlestick')?.x?.at(-1)"


@dataclass(frozen=True)
class Clocked:
    """An interface, an API, and an exchange whose hours pass when a test says so."""

    interface: InterfaceProcess
    api: ApiProcess
    exchange: ReplayServer
    clock: Clock

    def register(self) -> str:
        """The name of a new user."""
        name = f"ada-{secrets.token_hex(4)}"
        with ApiClient.at(self.api.url, 30).http as http:
            ApiClient(http).register(name, PASSWORD)
        return name

    def used(self, name: str) -> int:
        """Calls that a user has been charged for."""
        with ApiClient.at(self.api.url, 30).http as http:
            return ApiClient(http, ApiClient(http).log_in(name, PASSWORD).login_token).me().used


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clocked]:
    """A model with a card, verdicts, and candles of a month with a gap."""
    project = lay_out(tmp_path_factory.mktemp("charts"))
    store(project, VERSION)
    judge(project, NOW)
    (project / "conf/local/parameters.yml").write_text("pairs: [btc_usdt, eth_usdt]\n")
    clock = Clock(NOW, speed=0)
    with ReplayServer(SimulatedMarket(seed=42), clock=clock) as exchange:
        api = ApiProcess(project, free_port(), _settings(project, exchange.url)).start()
        api.wait("/api/v1/readyz")
        interface = InterfaceProcess(project, free_port(), api.url).start()
        try:
            yield Clocked(interface, api, exchange, clock)
        finally:
            interface.stop()
            api.stop()


def _settings(project: Path, exchange_url: str) -> dict[str, str]:
    quick = {"MODELS_SECONDS": "0.5", "CANDLES_SECONDS": "0.5", "PASSWORD_MEMORY_KIB": "8", "REGISTRATIONS": "1000"}
    return {"EXCHANGE_URL": exchange_url, "DATABASE_URL": f"sqlite:///{project / 'accounts.db'}", **quick}


def drawn(somebody: Any) -> Any:
    """Wait for the chart."""
    somebody.page.locator(f"{CHART} .nsewdrag").first.wait_for(timeout=WAIT)
    return somebody.settle()


@LOOK
def test_the_forecast_is_read_in_every_look(visitor, site, theme, size, look) -> None:
    member = drawn(visitor(theme, size).enter(site.register()))
    member.sees("In the next hour").shoot(f"forecast-{look}")
    for text in ("Record of the 80 % range", "No edge", "Newest candle closed", "past 80 %"):
        assert member.page.get_by_text(text.replace(" %", "\u00a0%")).first.is_visible(), text


@LOOK
def test_the_models_are_read_in_every_look(visitor, site, theme, size, look) -> None:
    member = visitor(theme, size).enter(site.register()).open("models")
    member.sees("Coverage by volatility").shoot(f"models-champion-{look}")
    for tab, text in (("Challengers", "Skill by fold and horizon"), ("Verdicts", "lstm: not published")):
        member.page.get_by_role("tab", name=tab).click()
        member.sees(text).shoot(f"models-{tab.lower()}-{look}")


def test_thirty_days_show_the_gap(visitor, site) -> None:
    member = drawn(visitor().enter(site.register()))
    member.page.get_by_role("radio", name="30 d").click()
    member.page.locator(CHART).get_by_text("no data").wait_for(timeout=WAIT)
    member.settle().shoot("forecast-30-days")


def test_a_pair_without_a_model_says_what_to_do(visitor, site) -> None:
    member = drawn(visitor().enter(site.register()))
    member.page.get_by_label("Pair").first.click()
    member.page.get_by_role("option", name="ETH/USDT").click()
    member.sees("No forecast yet").shoot("forecast-no-model")
    member.open("models?pair=eth_usdt").sees("No model yet").shoot("models-no-model")


def test_a_zoom_outlives_the_closing_of_a_candle_which_costs_one_call(visitor, site) -> None:
    name = site.register()
    member = drawn(visitor().enter(name))
    before, whole = member.page.evaluate(DRAWN), member.page.evaluate(RANGES)
    zoomed = _zoom(member)
    assert zoomed != whole
    site.clock.advance(timedelta(hours=1))
    member.page.wait_for_function(f"{DRAWN} && {DRAWN} !== {before!r}", timeout=WAIT)
    assert member.page.evaluate(RANGES) == zoomed
    member.shoot("forecast-zoomed-and-refreshed")
    assert site.used(name) == 2
    member.sees("2 of 1,000 calls")
    assert member.page.evaluate(RANGES) == zoomed


def _zoom(member: Any) -> list[Any]:
    box = member.page.locator(f"{CHART} .nsewdrag").first.bounding_box()
    mouse = member.page.mouse
    mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    mouse.down()
    mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.8 * box["height"], steps=5)
    mouse.up()
    member.page.wait_for_timeout(500)
    ranges: list[Any] = member.settle().page.evaluate(RANGES)
    return ranges


def test_what_is_drawn_is_saved_as_png_and_csv(visitor, site, tmp_path: Path) -> None:
    member = drawn(visitor().enter(site.register()))
    member.page.locator(CHART).hover()
    buttons = member.page.locator(f"{CHART} .modebar-btn")
    offered = [buttons.nth(at).get_attribute("data-title") for at in range(buttons.count())]
    assert offered == ["Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes", "Save as PNG", "Full screen"]
    with member.page.expect_download(timeout=WAIT) as saved:
        member.page.locator(f"{CHART} [data-title='Save as PNG']").click()
    assert re.fullmatch(r"btc_usdt-2025-03-01-\d\d00-utc\.png", saved.value.suggested_filename)
    saved.value.save_as(tmp_path / "chart.png")
    # Its header: 1280 by 640 points, twice as many pixels.
    assert (tmp_path / "chart.png").read_bytes()[16:24] == (2560).to_bytes(4) + (1280).to_bytes(4)
    with member.page.expect_download(timeout=WAIT) as saved:
        member.page.get_by_role("button", name="Forecast as CSV").click()
    saved.value.save_as(tmp_path / "forecast.csv")
    assert (tmp_path / "forecast.csv").read_text().startswith("pair,model,version,issued_at")


def test_the_last_forecast_stays_while_the_api_is_away(visitor, site) -> None:
    member = drawn(visitor().enter(site.register()))
    site.api.stop()
    try:
        member.sees("this is the last forecast that was received").shoot("forecast-api-away")
        assert member.page.locator(f"{CHART} .nsewdrag").first.is_visible()
    finally:
        site.api.start().wait("/api/v1/readyz")


def test_no_one_sees_a_trace_of_code(visitor, site) -> None:
    member = drawn(visitor().enter(site.register()))
    assert member.page.locator("[data-testid=stException]").count() == 0


def test_candles_that_do_not_come_are_told_with_the_reason(visitor, site) -> None:
    whole = site.exchange.faults
    site.exchange.faults = Faults({"5xx": 1.0})
    try:
        site.clock.advance(timedelta(hours=2))
        member = drawn(visitor().enter(site.register()))
        member.sees("this forecast is older than it should be").sees("that moment is over").shoot("forecast-stale")
    finally:
        site.exchange.faults = whole
