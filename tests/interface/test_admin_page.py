"""The sections of the page Admin and the page Account do what their buttons say, through the real API."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from interface import session
from interface.api_client import ApiClient
from interface.api_errors import UnauthorizedError
from make_us_rich.catalog import open_catalog
from make_us_rich.hourly.runs import Run, write_runs
from published_api import PASSWORD, make_admin, published_api
from synthetic import VERSION, store

Page = Callable[[str, ApiClient], AppTest]


def _admin() -> None:
    from interface import session
    from interface.app_pages import admin

    session.recognise()
    admin.show()


def _account() -> None:
    from interface import session
    from interface.app_pages import account

    session.recognise()
    account.show()


PAGES = {"admin": _admin, "account": _account}


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    """A page, as the user of a client sees it."""
    monkeypatch.setattr(ContextProxy, "cookies", {})
    monkeypatch.setattr(ContextProxy, "ip_address", None)

    def open_page(name: str, client: ApiClient) -> AppTest:
        monkeypatch.setattr(session, "_anybody", lambda _url: replace(client, token=None))
        app = AppTest.from_function(PAGES[name], default_timeout=60)
        app.session_state["login_token"] = client.token
        return app.run()

    return open_page


def shown(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def choose(app: AppTest, section: str) -> AppTest:
    return app.segmented_control[0].set_value(section).run()


def find(app: AppTest, name: str) -> AppTest:
    app.text_input(key="users_searched").input(name).run()
    return app.selectbox[0].set_value(name).run()


@pytest.fixture
def other(anybody: ApiClient, name: str) -> ApiClient:
    """Somebody else."""
    return anybody.as_user(anybody.register(f"{name}-other", PASSWORD).login_token)


def test_others_are_told_whom_to_ask(page: Page, member: ApiClient) -> None:
    app = page("admin", member)

    assert "This is for admins" in shown(app)
    assert not app.button


def test_a_role_is_given_and_taken(page: Page, admin: ApiClient, other: ApiClient, name: str) -> None:
    app = find(page("admin", admin), f"{name}-other")
    app.checkbox[0].check()
    press(app, "Save the roles")
    assert "The roles are saved." in shown(app)
    assert other.me().is_admin
    app.checkbox[0].uncheck()
    press(app, "Save the roles")

    assert not other.me().is_admin


def test_a_limit_of_its_own_is_given_and_taken_back(page: Page, admin, other, name: str) -> None:
    app = find(page("admin", admin), f"{name}-other")
    app.number_input[0].set_value(7)
    press(app, "Save the limit")
    assert other.me().limit == 7
    press(app, "As the plan says")

    assert other.me().limit == 1000


def test_logins_are_ended(page: Page, admin: ApiClient, other: ApiClient, name: str) -> None:
    app = press(find(page("admin", admin), f"{name}-other"), "End all logins")

    assert "All logins are ended." in shown(app)
    with pytest.raises(UnauthorizedError):
        other.me()


def test_a_token_is_revoked(page: Page, anybody, admin, other, name: str) -> None:
    token = other.rotate_token()
    press(find(page("admin", admin), f"{name}-other"), "Revoke the API token")

    with pytest.raises(UnauthorizedError):
        anybody.as_user(token).me()


def test_users_are_paged_forth_and_back(page: Page, anybody, admin, name: str) -> None:
    for number in range(12):
        anybody.register(f"{name}-{number:02}", PASSWORD)
    app = page("admin", admin)
    app.text_input(key="users_searched").input(f"{name}-").run()
    assert f"{name}-09" in shown(app)
    assert f"{name}-10" not in shown(app)
    press(app, "Later names")
    assert f"{name}-10" in shown(app)
    press(app, "Earlier names")

    assert f"{name}-00" in shown(app)


def test_nobody_is_found_in_words(page: Page, admin: ApiClient) -> None:
    app = page("admin", admin)
    app.text_input(key="users_searched").input("nobody-has-this").run()

    assert "Nobody is found." in shown(app)


def test_a_plan_is_changed_and_left_to_the_settings_again(page: Page, admin: ApiClient) -> None:
    app = choose(page("admin", admin), "Plans")
    app.number_input[0].set_value(4321)
    press(app, "Save")
    assert {plan.role: plan.monthly_limit for plan in admin.plans()}["admin"] == 4321
    press(app, "As the settings say")

    assert {plan.role: plan.monthly_limit for plan in admin.plans()}["admin"] is None


def test_an_earlier_day_is_served_and_said(page: Page, admin: ApiClient) -> None:
    app = press(choose(page("admin", admin), "Models"), "Serve that day's")
    assert "are served." in shown(app)
    assert admin.pairs().as_of is not None
    press(app, "Serve today's")

    assert admin.pairs().as_of is None


def test_the_newest_champions_are_loaded(page: Page, admin: ApiClient) -> None:
    app = press(choose(page("admin", admin), "Models"), "Load the newest champions now")

    assert "The newest champions are loaded." in shown(app)


def test_every_login_is_ended(page: Page, member: ApiClient) -> None:
    press(page("account", member), "Log out on all devices")

    with pytest.raises(UnauthorizedError):
        member.me()


def test_the_last_runs_are_told_with_how_they_ended(page: Page, admin: ApiClient, api, monkeypatch) -> None:
    monkeypatch.chdir(api.project)
    catalog, nine = open_catalog("local", api.project), datetime(2025, 3, 1, 9, tzinfo=UTC)
    made = {"pair": "btc_usdt", "pipeline": "monitor_btc_usdt", "hour": nine, "started": nine, "exit_code": 0}
    good = Run(**made, ended=nine + timedelta(minutes=2), ok=True, reason="the forecast is recorded", missed=2)
    bad = Run(**made, ended=nine + timedelta(hours=1), ok=False, reason="<b>no</b> answer")
    app = choose(page("admin", admin), "Runs and alerts")
    assert "No hourly run yet." in shown(app)
    assert "No alerts yet." in shown(app)
    catalog.save("btc_usdt.runs", write_runs([good, bad], 10))
    told = shown(app.run()).replace("\u00a0", " ")
    assert told.index("2025-03-01 10:00") < told.index("2025-03-01 09:02")
    assert "ok, catches up 2 hours" in told
    assert "&lt;b&gt;no&lt;/b&gt; answer" in told
    catalog.save("btc_usdt.runs", {"runs": [{}]})

    assert "btc_usdt: the record of runs is damaged" in shown(app.run())


def test_an_earlier_version_is_made_the_champion(page: Page, tmp_path: Path, client_at) -> None:
    with published_api(tmp_path) as api:  # Of its own: others count its champions.
        store(api.project, "2025-01-02T00.05.00.000Z")
        anybody = client_at(api.url)
        admin = anybody.as_user(anybody.register("root", PASSWORD).login_token)
        make_admin(api, "root")
        assert admin.versions("btc_usdt").version == "2025-01-02T00.05.00.000Z"
        app = press(choose(page("admin", admin), "Models"), "Make it the champion")

        assert "The earlier version is the champion." in shown(app)
        assert admin.versions("btc_usdt").version == VERSION
        assert admin.model("btc_usdt").version == VERSION
