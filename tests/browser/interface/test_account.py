"""The API token and an admin's work, in a real browser."""

import httpx
import pytest

pytestmark = pytest.mark.slow


def me(site, token: str) -> int:
    """What the API answers to a token."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{site.api.url}/api/v1/me", headers=headers, trust_env=False).status_code


def test_a_token_is_made_shown_copied_put_away_and_revoked(visitor, site) -> None:
    member = visitor().enter(site.register()).open("account")
    member.presses("Make another token").sees("Programs that use the old one").shoot("account-rotate")
    member.presses("Make another").sees("It is not shown again.").shoot("account-token")
    token = member.page.get_by_role("status", name="API token").inner_text()
    assert me(site, token) == 200
    member.context.grant_permissions(["clipboard-read", "clipboard-write"])
    member.page.get_by_role("button", name="Copy", exact=True).click()
    member.page.get_by_role("button", name="Copied", exact=True).wait_for(timeout=30_000)
    assert member.page.evaluate("navigator.clipboard.readText()") == token
    member.presses("I have kept it").presses("Have none").presses("Yes, revoke it").sees("Your API token is revoked.")
    assert me(site, token) == 401


def test_the_form_is_filled_in_and_sent_with_the_keyboard(visitor, site) -> None:
    name, somebody = site.register(), visitor().open()
    somebody.page.get_by_label("Name").focus()
    somebody.page.keyboard.type(name)
    somebody.page.keyboard.press("Tab")
    somebody.page.keyboard.type("engine-of-1843")
    somebody.page.keyboard.press("Enter")
    somebody.sees("Member")


def test_an_open_page_burns_one_call_for_a_pair_and_hour(visitor, site) -> None:
    member = visitor().enter(site.register())
    for path in ("", "models", "", "account"):
        member.open(path)
    member.sees("1 of 1,000 calls")
