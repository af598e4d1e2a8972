"""Logging in, registering, staying in, and leaving, in a real browser."""

import pytest

pytestmark = pytest.mark.slow

WAIT = 30_000
COOKIE = "make_us_rich_login"


def test_a_newcomer_registers_and_is_shown_the_token_once(visitor, site) -> None:
    newcomer = visitor().open("account").shoot("login")
    newcomer.log_in("newcomer", "engine-of-1843").sees("Nobody is called newcomer yet.").shoot("login-offer")
    newcomer.presses("Register and log in").sees("It is not shown again.").shoot("welcome")
    token = newcomer.page.get_by_role("status", name="API token").inner_text()
    assert token.startswith("mur_")
    newcomer.presses("I have kept it, show me the forecasts").sees("Call the API")
    newcomer.page.reload()
    newcomer.sees("Call the API")
    assert token not in newcomer.page.content()


def test_a_wrong_password_and_one_that_is_too_short_are_told_in_words(visitor, site) -> None:
    somebody = visitor().open().log_in(site.register(), "not-the-password").sees("The password is wrong")
    somebody.shoot("login-wrong-password")
    somebody.log_in("somebody-new", "short").presses("Register and log in").sees("Use 10 to 128 characters")


def test_too_many_tries_are_told_with_when_to_try_again(visitor, site) -> None:
    name, somebody = site.register(), visitor().open()
    for _ in range(11):
        somebody.log_in(name, "not-the-password")
    somebody.sees("Too many attempts").sees("Try again in 15 minutes").shoot("login-too-many")


def test_a_login_survives_a_reload_and_a_new_tab_and_ends_in_all_at_log_out(visitor, site) -> None:
    somebody = visitor().enter(site.register())
    somebody.page.reload()
    somebody.sees("Member")
    other = somebody.context.new_page()
    other.goto(f"{site.interface.url}/account")
    other.get_by_text("Call the API").wait_for(timeout=WAIT)
    somebody.presses("Log out").sees("New here?")
    other.get_by_role("link", name="Models").click()
    other.get_by_text("Your login has ended.").wait_for(timeout=WAIT)
    somebody.page.reload()
    somebody.sees("New here?")


def test_the_cookie_lasts_ten_days_out_of_reach_of_scripts_and_goes_at_log_out(visitor, site) -> None:
    somebody = visitor().enter(site.register())
    (cookie,) = [each for each in somebody.context.cookies() if each["name"] == COOKIE]
    now = somebody.page.evaluate("Date.now() / 1000")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert cookie["expires"] - now == pytest.approx(10 * 86_400, abs=120)
    assert "mul_" not in somebody.page.evaluate("document.cookie") + somebody.page.url + somebody.page.content()
    with somebody.page.expect_response("**/session"):
        somebody.presses("Log out")
    assert COOKIE not in [each["name"] for each in somebody.context.cookies()]


def test_the_next_user_sees_nothing_of_the_one_before(visitor, site) -> None:
    first, second = site.register(), site.register()
    browser = visitor().enter(first)
    browser.presses("Log out").sees("New here?")
    browser.log_in(second).sees("Member")
    assert second in browser.page.content()
    assert first not in browser.page.content()
