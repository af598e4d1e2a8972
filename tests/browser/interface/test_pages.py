"""Each page as a new user, a member out of quota and an admin, in both themes and on a phone."""

import pytest

pytestmark = pytest.mark.slow

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
LOOKS = [
    ("light", DESKTOP, "light"),
    ("dark", DESKTOP, "dark"),
    ("light", PHONE, "phone"),
    ("dark", PHONE, "dark-phone"),
]


@pytest.mark.parametrize(("theme", "size", "look"), LOOKS, ids=[look for _, _, look in LOOKS])
def test_a_new_user_walks_the_pages(visitor, site, theme, size, look) -> None:
    member = visitor(theme, size).open().shoot(f"login-{look}").enter(site.register())
    member.open("account").sees("Call the API").shoot(f"account-{look}")
    member.open("admin").sees("This is for admins").shoot(f"admin-refused-{look}")


@pytest.mark.parametrize(("theme", "size", "look"), LOOKS, ids=[look for _, _, look in LOOKS])
def test_a_member_out_of_quota_is_told_when_it_begins_anew(visitor, site, theme, size, look) -> None:
    member = visitor(theme, size).enter(site.register(limit=0))
    member.sees("This month's calls are used up").shoot(f"forecast-out-of-quota-{look}")
    member.open("account").sees("0 left").shoot(f"account-out-of-quota-{look}")


@pytest.mark.parametrize(("theme", "size", "look"), LOOKS, ids=[look for _, _, look in LOOKS])
def test_an_admin_walks_the_sections(visitor, site, theme, size, look) -> None:
    admin = visitor(theme, size).enter(site.register(admin=True))
    admin.open("admin").sees("Change a user").shoot(f"admin-users-{look}")
    for section, text in [("Plans", "each member"), ("Models", "Load the newest"), ("Runs and alerts", "Last runs")]:
        admin.page.get_by_role("radio", name=section).click()
        admin.sees(text).shoot(f"admin-{section.split()[0].lower()}-{look}")
