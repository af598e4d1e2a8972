"""The script itself, run by Streamlit's own test harness against the real API."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from conftest import free_port
from interface import session
from interface.api_client import ApiClient
from published_api import PASSWORD, make_admin
from serving_process import ApiProcess

SCRIPT = Path(__file__).resolve().parents[2] / "interface" / "streamlit_app.py"


@pytest.fixture
def open_app(
    monkeypatch: pytest.MonkeyPatch, client_at: Callable[..., ApiClient]
) -> Iterator[Callable[[str], AppTest]]:
    """The script on an API, as somebody without a cookie."""

    monkeypatch.setattr(session, "_anybody", cache(client_at))
    # The harness has no browser to ask.
    monkeypatch.setattr(ContextProxy, "cookies", {})
    monkeypatch.setattr(ContextProxy, "ip_address", None)

    def run(api_url: str) -> AppTest:
        monkeypatch.setenv("MAKE_US_RICH_API_URL", api_url)
        session.settings.cache_clear()
        return AppTest.from_file(str(SCRIPT), default_timeout=60).run()

    yield run
    session.settings.cache_clear()


def shown(app: AppTest) -> str:
    """All text of a page that is ours."""
    return " ".join(element.proto.body for element in app.get("html"))


def everything(app: AppTest) -> str:
    """All that a session remembers."""
    return str({key: app.session_state[key] for key in app.session_state._state.filtered_state})


def log_in(app: AppTest, name: str, password: str = PASSWORD) -> AppTest:
    app.text_input(key="typed-name").input(name)
    app.text_input(key="typed-password").input(password)
    return app.button[0].click().run()


def test_without_a_login_there_is_the_form_and_nothing_else(open_app, api: ApiProcess) -> None:
    app = open_app(api.url)

    assert [each.label for each in app.text_input] == ["Name", "Password"]
    assert not app.sidebar.button


def test_a_member_logs_in_and_out(open_app, api: ApiProcess, member: ApiClient, name: str) -> None:
    app = log_in(open_app(api.url), name)
    assert name in shown(app)
    app.sidebar.button(key="log-out").click().run()

    assert [each.label for each in app.text_input] == ["Name", "Password"]
    assert name not in shown(app)


def test_a_password_is_not_kept_after_the_log_in(open_app, api: ApiProcess, member: ApiClient, name: str) -> None:
    app = log_in(open_app(api.url), name)

    assert PASSWORD not in everything(app)


def test_an_unknown_name_is_offered_and_the_token_shown_until_it_is_put_away(open_app, api, name: str) -> None:
    app = log_in(open_app(api.url), name)
    assert f"Nobody is called {name} yet." in shown(app)
    app.button[1].click().run()
    assert "It is not shown again." in shown(app)
    app.main.button[0].click().run()

    assert "It is not shown again." not in shown(app)
    assert "mur_" not in everything(app)


def test_a_login_that_ended_elsewhere_shows_the_form(open_app, api, anybody, member, name: str) -> None:
    app = log_in(open_app(api.url), name)
    anybody.as_user(app.session_state["login_token"]).log_out_everywhere()
    app.run()

    assert "Your login has ended." in shown(app)
    assert name not in shown(app)


def test_nothing_of_a_session_is_left_for_the_next_user(open_app, api, anybody, member, name: str) -> None:
    app = log_in(open_app(api.url), name)
    app.session_state["what-the-first-chose"] = name
    other = anybody.register(f"{name}-other", PASSWORD)
    app.session_state["login_token"] = other.login_token
    app.run()

    assert other.name in shown(app)
    assert "what-the-first-chose" not in app.session_state


def test_a_role_that_was_given_shows_at_the_next_step(open_app, api, member, name: str) -> None:
    app = log_in(open_app(api.url), name)
    make_admin(api, name)
    app.run()

    assert "Admin" in shown(app)


def test_the_meter_counts_the_call_that_the_page_has_just_made(open_app, api, member, name: str, monkeypatch) -> None:
    monkeypatch.chdir(api.project)
    monkeypatch.setattr(ContextProxy, "headers", {})
    app = log_in(open_app(api.url), name)

    assert member.me().used == 1
    assert "1 of 1,000 calls" in shown(app)
    assert "0 of 1,000 calls" not in shown(app)


def test_the_api_away_is_told_and_the_login_kept(open_app, api, member, name: str, monkeypatch) -> None:
    app = log_in(open_app(api.url), name)
    monkeypatch.setenv("MAKE_US_RICH_API_URL", f"http://127.0.0.1:{free_port()}")
    session.settings.cache_clear()
    app.run()
    assert "The API is not there" in shown(app)
    monkeypatch.setenv("MAKE_US_RICH_API_URL", api.url)
    session.settings.cache_clear()
    app.run()

    assert "The API is not there" not in shown(app)
    assert name in shown(app)


def test_text_of_others_is_never_html(open_app, api: ApiProcess) -> None:
    app = log_in(open_app(api.url), "<img src=x onerror=alert(1)>")

    assert "<img" not in shown(app)
    assert "&lt;img" in shown(app)
