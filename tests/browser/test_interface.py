"""The interface in a real browser: themes, phone, logins, address, zoom, exports, outages, and a proxy's prefix."""

import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from browser.conftest import CHART, DESKTOP, PHONE, WAIT
from make_us_rich.replay import Faults
from processes import PASSWORD
from synthetic import VERSION, store

pytestmark = pytest.mark.slow

COOKIE = "make_us_rich_login"
RANGES = f"(() => {{ const l = document.querySelector('{CHART}').layout; return [l.xaxis.range, l.yaxis.range] }})()"
NEWEST = f"document.querySelector('{CHART}')?.data?.find(each => each.type === 'candlestick')?.x?.at(-1)"
SECTIONS = {"Plans": "each member", "Models": "Load the newest", "Runs and alerts": "Last runs"}


@pytest.mark.parametrize("look", ["light", "dark-phone"])
def test_every_page_is_drawn_in_every_look(visitor, site, look: str) -> None:
    size = PHONE if look == "dark-phone" else DESKTOP
    admin = visitor("dark" if look == "dark-phone" else "light", size).open().shoot(f"login-{look}")
    admin.page.get_by_role("link", name="The record of past forecasts").click()
    admin.sees("Nothing is recorded yet.").sees("Embed").shoot(f"record-{look}")
    admin.enter(site.register(admin=True)).sees_chart()
    admin.sees("simulated market, no real prices").sees("Newest candle closed").shoot(f"forecast-{look}")
    top = admin.page.locator(CHART).bounding_box()["y"]
    assert top < size["height"] / 2, "the chart begins on the first screen"
    admin.presses("Ask").sees("Touched before then").shoot(f"forecast-asked-{look}")
    admin.chooses("Range of", "Highs and lows").sees("no price is below").shoot(f"forecast-highs-lows-{look}")
    admin.open("risk").fills(Size="0.5", Stop="36000", Target="39000").presses("Show the risk")
    admin.sees("In one of 20 such spans").shoot(f"risk-{look}")
    admin.page.get_by_role("radio", name="Portfolio").click()
    admin.sees("Below 0 is sold short").presses("Show the risk").sees("makes that loss smaller").shoot(
        f"risk-portfolio-{look}"
    )
    admin.open("models").sees("Coverage by volatility").shoot(f"models-champion-{look}")
    for tab, text in (("Challengers", "Skill by fold and horizon"), ("Verdicts", "lstm: not published")):
        admin.page.get_by_role("tab", name=tab).click()
        admin.sees(text).shoot(f"models-{tab.lower()}-{look}")
    admin.open("account").sees("Call the API").shoot(f"account-{look}")
    admin.open("admin").sees("Change a user").shoot(f"admin-users-{look}")
    for section, text in SECTIONS.items():
        admin.page.get_by_role("radio", name=section).click()
        admin.sees(text).shoot(f"admin-{section.split()[0].lower()}-{look}")


def test_a_newcomer_registers_with_the_keyboard_and_saves_the_token(visitor, site) -> None:
    newcomer = visitor().open("account")
    newcomer.page.get_by_label("Name").focus()
    for text, key in (("newcomer", "Tab"), (PASSWORD, "Enter")):
        newcomer.page.keyboard.type(text)
        newcomer.page.keyboard.press(key)
    newcomer.sees("Nobody is called newcomer yet.").shoot("login-offer")
    newcomer.presses("Register and log in").sees("It is not shown again.").shoot("welcome")
    token = newcomer.page.locator(".st-key-api-token code").inner_text()
    newcomer.context.grant_permissions(["clipboard-read", "clipboard-write"])
    newcomer.page.locator(".st-key-api-token code").hover()
    newcomer.page.get_by_role("button", name="Copy to clipboard").click()
    copied = "token => navigator.clipboard.readText().then(text => text === token)"
    newcomer.page.wait_for_function(copied, arg=token, timeout=WAIT)
    newcomer.presses("I have saved it, show me the forecasts").sees("Call the API")
    newcomer.page.reload()
    assert token not in newcomer.sees("Call the API").page.content()
    newcomer.presses("Revoke the token").presses("Revoke it").sees("Your API token is revoked.")
    answer = httpx.get(f"{site.api.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    assert answer.status_code == 401


def test_a_login_is_in_every_tab_and_ends_in_all_at_once(visitor, site) -> None:
    first, second = site.register(), site.register()
    somebody = visitor().enter(first, "account")
    (cookie,) = [each for each in somebody.context.cookies() if each["name"] == COOKIE]
    now = somebody.page.evaluate("Date.now() / 1000")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert cookie["expires"] - now == pytest.approx(10 * 86_400, abs=120)
    assert "mul_" not in somebody.page.evaluate("document.cookie") + somebody.page.url + somebody.page.content()
    other = somebody.context.new_page()
    other.goto(f"{somebody.url}/account")
    other.get_by_text("Call the API").wait_for(timeout=WAIT)
    somebody.presses("Log out").sees("New here?")
    other.get_by_text("New here?").wait_for(timeout=WAIT)  # Without a touch.
    assert COOKIE not in [each["name"] for each in somebody.context.cookies()]
    somebody.log_in(second).sees("Member")
    assert second in somebody.page.content()
    assert first not in somebody.page.content()


def test_one_logs_in_at_an_openid_connect_provider_and_out_again(visitor, site) -> None:
    site.provider.start()
    member = visitor().open("account")
    member.page.get_by_role("button", name="Log in with 127.0.0.1").click()  # It leaves the interface.
    member.page.get_by_placeholder("sub").fill("grace@example.com", timeout=WAIT)
    member.page.get_by_role("button", name="Authorize").click()
    member.sees("grace@example.com").page.reload()
    member.sees("grace@example.com")
    assert {each["name"] for each in member.context.cookies()}.isdisjoint({"_streamlit_user", "_streamlit_user_tokens"})
    member.presses("Log out").sees("New here?")
    member.page.reload()
    member.sees("New here?")
    site.provider.stop()


def test_a_password_is_changed_and_an_account_deleted(visitor, site) -> None:
    member, new = visitor().enter(site.register(), "account"), "another-engine-of-1843"
    member.presses("Add an alert").chooses("When", "the next 24 hours are wild").fills(Send="http://10.0.0.1")
    member.presses("Add it").sees("is no address of Apprise").fills(Send="ntfys://1.1.1.1/a-topic")
    member.presses("Add it").sees("the volatility is above percentile 90").shoot("account-alert")
    member.presses("Delete").sees("The alert is deleted.").presses("Change the password")
    for typed, expected in (("not-the-password", "The password is wrong."), (PASSWORD, "Call the API")):
        member.page.get_by_label("Present password").fill(typed)
        member.page.get_by_label("New password").fill(new)
        member.presses("Change it").sees(expected)
    member.page.get_by_label("Present password").wait_for(state="detached", timeout=WAIT)
    member.presses("Delete the account").sees("cannot be restored").shoot("account-deletion")
    member.page.get_by_label("Password", exact=True).fill(new)
    member.presses("Delete it").sees("Your account is deleted.").sees("New here?")


def test_back_and_forward_follow_the_selection(visitor, site) -> None:
    name = site.register()
    member = visitor().enter(name).sees_chart()
    member.chooses("Horizon", "6\u00a0hours").sees("In 6\u00a0hours, at")
    assert member.page.url.endswith("/?horizon=6")
    member.chooses("Pair", "ETH/USDT").sees("No forecast yet").shoot("forecast-no-model")
    member.page.get_by_role("link", name="Models").click()
    member.sees("No model yet")
    assert "/models?pair=eth_usdt" in member.page.url
    assert "kedro" not in member.page.inner_text("body")
    member.page.go_back()
    member.sees("No forecast yet")
    assert "pair=eth_usdt" in member.page.url
    back, forward = member.page.go_back, member.page.go_forward
    for move, text in ((back, "In 6\u00a0hours, at"), (back, "In the next hour, at"), (forward, "In 6\u00a0hours, at")):
        move()
        member.sees(text)
    member.open("forecast?pair=doge_usdt").sees("DOGE/USDT is not served here.").shoot("forecast-unknown-pair")
    assert site.get(name, "/me")["used"] == 1


def test_a_question_and_a_position_are_drawn_and_their_choices_are_in_the_address(visitor, site) -> None:
    name = site.register()
    member = visitor().enter(name, "forecast?horizon=6").sees_chart()
    box, price = (
        member.page.locator(f"{CHART} .nsewdrag").first.bounding_box(),
        "document.querySelector('.st-key-ask input').value",
    )
    before = member.page.evaluate(price)
    member.page.mouse.click(box["x"] + 0.93 * box["width"], box["y"] + 0.3 * box["height"])
    member.page.wait_for_function(f"{price} !== '{before}'", timeout=WAIT)
    member.presses("Ask").sees("2 of 1,000")
    drawn = f"document.querySelector('{CHART}').data.some(each => each.name === 'asked:' && each.x[1] > '2025-03-02')"
    member.page.wait_for_function(drawn, timeout=WAIT)
    member.chooses("Range of", "Highs and lows").sees("no price is below")
    assert member.page.url.endswith("/?horizon=6&range=highs-lows")
    member.page.go_back()
    member.page.wait_for_function(
        f"document.querySelector('{CHART}').data.some(e => e.name === 'baseline')", timeout=WAIT
    )
    assert site.get(name, "/me")["used"] == 4  # The forecast, the question, and two for highs and lows.
    member.page.get_by_role("link", name="Risk").click()
    member.sees("beside the forecast's own").fills(Stop="36000").presses("Show the risk").sees("Stop reached")
    lines = "document.querySelector('.st-key-risk-chart .js-plotly-plot').data.map(each => each.name)"
    member.page.wait_for_function(f"{lines}.includes('stop')", timeout=WAIT)
    member.fills(Stop="35000").presses("Show the risk").sees("35,000.00 within")
    assert site.get(name, "/me")["used"] == 5


def test_a_zoom_survives_a_new_candle_which_costs_one_call(visitor, site) -> None:
    name = site.register()
    member = visitor()
    member.page.clock.install()
    member.enter(name).sees_chart()
    newest, whole = member.page.evaluate(NEWEST), member.page.evaluate(RANGES)
    box, mouse = member.page.locator(f"{CHART} .nsewdrag").first.bounding_box(), member.page.mouse
    mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    mouse.down()
    mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.8 * box["height"], steps=5)
    mouse.up()
    member.page.wait_for_function(f"JSON.stringify({RANGES}) !== {str(whole)!r}", timeout=WAIT)
    zoomed = member.page.evaluate(RANGES)
    assert zoomed != whole
    site.api.exchange.clock.advance(timedelta(hours=1))
    member.waits_for(f"{NEWEST} && {NEWEST} !== {newest!r}")
    assert member.page.evaluate(RANGES) == zoomed
    member.sees("2 of 1,000").shoot("forecast-zoomed-and-refreshed")
    assert member.page.evaluate(RANGES) == zoomed
    assert site.get(name, "/me")["used"] == 2


def test_chart_and_forecast_are_exported(visitor, site) -> None:
    member = visitor().enter(site.register()).sees_chart()
    member.page.get_by_role("radio", name="30 d").click()
    member.page.locator(CHART).get_by_text("no data").wait_for(timeout=WAIT)
    member.page.locator(CHART).hover()
    buttons = member.page.locator(f"{CHART} .modebar-btn")
    titles = [buttons.nth(at).get_attribute("data-title") for at in range(buttons.count())]
    assert titles == ["Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes", "Save as PNG", "Full screen"]
    with member.page.expect_download(timeout=WAIT) as saved:
        member.page.locator(f"{CHART} [data-title='Save as PNG']").click()
    assert re.fullmatch(r"btc_usdt-2025-03-01-\d\d00-utc\.png", saved.value.suggested_filename)
    # The header has the size: 1280 by 640 points, two pixels each.
    assert Path(saved.value.path()).read_bytes()[16:24] == (2560).to_bytes(4) + (1280).to_bytes(4)
    with member.page.expect_download(timeout=WAIT) as saved:
        member.page.get_by_role("button", name="Forecast as CSV").click()
    assert Path(saved.value.path()).read_text().startswith("pair,model,version,simulated,issued_at")


def test_an_outage_of_the_api_is_reported_and_passes(visitor, site) -> None:
    member = visitor()
    member.page.clock.install()
    member.enter(site.register()).sees_chart()
    site.api.stop()
    try:
        member.waits_for("document.body.innerText.includes('this is the last forecast that was received')")
        member.shoot("forecast-api-away")
        assert member.page.locator(f"{CHART} .nsewdrag").first.is_visible()
        member.page.reload()
        member.sees("The API is not there").sees("tries again every 15 seconds").shoot("api-away")
        assert member.page.locator("[data-testid=stException]").count() == 0
    finally:
        site.api.start().wait("/api/v1/readyz")
    member.waits_for(f"document.querySelector('{CHART} .nsewdrag')")


def test_missing_candles_are_reported(visitor, site) -> None:
    faults = site.api.exchange.faults
    site.api.exchange.faults = Faults({"5xx": 1.0})
    try:
        site.api.exchange.clock.advance(timedelta(hours=2))
        member = visitor().enter(site.register()).sees_chart()
        member.sees("this forecast is older than it should be").sees("that moment has passed").shoot("forecast-stale")
    finally:
        site.api.exchange.faults = faults


def test_a_rollback_is_confirmed_first(visitor, site) -> None:
    name, newer = site.register(admin=True), "2025-01-02T00.05.00.000Z"
    store(site.api.project, newer)
    admin = visitor().enter(name, "admin")
    admin.page.get_by_role("radio", name="Models").click()
    admin.sees("Load the newest").presses("Make it the champion").sees("for all users").shoot("admin-rollback")
    assert site.get(name, "/admin/pairs/btc_usdt/champion")["version"] == newer
    admin.presses("Yes, make it the champion").sees(f"version {VERSION} is the champion")
    assert site.get(name, "/admin/pairs/btc_usdt/champion")["version"] == VERSION


def test_login_links_and_log_out_work_below_a_proxys_prefix(visitor, site, nginx) -> None:
    member = visitor(url=nginx.start(site.interface.url, "/crypto"))
    member.enter(site.register(), "forecast?horizon=6").sees_chart()
    assert member.page.url.endswith("/crypto/?horizon=6")
    member.page.reload()
    member.sees_chart().page.get_by_role("link", name="Models").click()
    member.sees("Coverage by volatility")
    assert "/crypto/models" in member.page.url
    member.presses("Log out").sees("New here?")
    member.page.reload()
    member.sees("New here?")
