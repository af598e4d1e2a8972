"""The page Admin: each button does what it says, through the real API."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from interface.api_client import ApiClient
from make_us_rich.alerts import run_checks
from make_us_rich.catalog import open_catalog
from make_us_rich.client import UnauthorizedError
from make_us_rich.client.schemas import ApiToken, Plan
from make_us_rich.domain.run_log import PipelineRun, write_runs
from processes import PASSWORD


@pytest.fixture
def opened(open_app, admin) -> Callable:
    """A section of the page as an admin sees it, with one user found where a name is given."""

    def run(section: str = "Users", user: str = ""):
        app = open_app("admin", admin)
        if section != "Users":
            app.test.segmented_control[0].set_value(section).run()
        if user:
            app.test.text_input(key="user_search").input(user).run()
            app.test.selectbox[0].set_value(user).run()
        return app

    return run


@pytest.fixture
def other(anybody: ApiClient, name: str) -> ApiClient:
    """Another member."""
    return anybody.as_user(anybody.register(f"{name}-other", PASSWORD).login_token)


@pytest.mark.parametrize("logged_in", [False, True])
def test_a_link_of_an_admin_sets_a_new_password_and_logs_in(opened, open_app, admin, other, name, logged_in) -> None:
    app = opened(user=f"{name}-other").press("Make a link for a new password")
    link = app.test.code[0].value
    token = link.partition("/account?reset=")[2]
    app = open_app(client=admin if logged_in else None, reset=token)
    app.test.text_input[0].input("engine-of-1844")
    app.press("Set it and log in")
    assert app.test.session_state["session"].user.name == f"{name}-other"
    with pytest.raises(UnauthorizedError):
        other.me()
    again = open_app(reset=token)
    again.test.text_input[0].input("engine-of-1845")
    assert "The link has expired or was used." in again.press("Set it and log in").text


def test_roles_limits_logins_and_tokens_of_a_user_are_changed(opened, anybody, other, name) -> None:
    token, app = other.call("POST", "/tokens/rotate", ApiToken).api_token, opened(user=f"{name}-other")
    for is_admin in (True, False):
        app.test.checkbox[0].set_value(is_admin)
        app.press("Save the roles")
        assert f"The roles of {name}-other are saved." in app.text
        assert other.me().is_admin is is_admin
    app.test.number_input[0].set_value(7)
    app.press("Save the limit")
    assert other.me().limit == 7
    app.press("Use the plan")
    assert other.me().limit == 1000
    app.press("Revoke the API token").press("End all logins")
    assert f"All logins of {name}-other are ended." in app.text
    for client in (other, anybody.as_user(token)):
        with pytest.raises(UnauthorizedError):
            client.me()


def test_users_are_paged_and_counted(opened, anybody, name, plain) -> None:
    for number in range(12):
        anybody.register(f"{name}-{number:02}", PASSWORD)
    app = opened()
    assert any("users have made" in plain(each.value) for each in app.test.caption)
    app.test.text_input(key="user_search").input(f"{name}-").run()
    assert f"{name}-09" in app.text
    assert f"{name}-10" not in app.text
    assert f"{name}-10" in app.press("Next page").text
    assert f"{name}-00" in app.press("Previous page").text
    app.test.text_input(key="user_search").input("nobody-has-this").run()
    assert "No user found." in app.text


def test_a_plan_is_changed_and_returned_to_the_settings(opened, admin) -> None:
    app = opened("Plans")
    for button, limit in (("Save", 4321), ("Use the settings", None)):
        app.test.number_input[0].set_value(4321)
        app.press(button)
        plans = admin.call("GET", "/admin/roles", list[Plan])
        assert [plan.monthly_limit for plan in plans if plan.role == "admin"] == [limit]


def test_an_earlier_date_is_served_and_the_newest_loaded(opened, admin) -> None:
    app = opened("Models").press("Serve that day's")
    assert admin.pairs().as_of is not None
    app.press("Serve today's")
    assert admin.pairs().as_of is None
    assert "The newest champions are loaded." in app.press("Load the newest champions now").text


def test_runs_and_alerts_are_listed(opened, api, monkeypatch) -> None:
    monkeypatch.setenv("KEDRO_ENV", "local")
    monkeypatch.delenv("MAKE_US_RICH_ALERT_URLS", raising=False)
    catalog, nine = open_catalog("local", api.project), datetime(2025, 3, 1, 9, tzinfo=UTC)
    made = {"pair": "btc_usdt", "pipeline": "monitor_btc_usdt", "started": nine}
    good = PipelineRun(**made, ended=nine + timedelta(minutes=2), exit_code=0, reason="recorded", missed=1)
    bad = PipelineRun(**made, ended=nine + timedelta(hours=1), exit_code=1, reason="<b>no</b> answer")
    app = opened("Runs and alerts")
    assert "No hourly run yet." in app.text
    assert "No alerts yet." in app.text
    catalog.save("btc_usdt.runs", write_runs([good, bad]))
    run_checks("local")
    app.test.run()
    assert app.text.index("2025-03-01 10:00") < app.text.index("2025-03-01 09:02")
    assert "ok, made up for 1 missed hour" in app.text
    assert "<b>no</b> answer" in app.text
    assert "Open alerts" in app.text
    catalog.save("btc_usdt.runs", {"runs": [{}]})
    app.test.run()
    assert "btc_usdt: the run log is damaged" in app.text
