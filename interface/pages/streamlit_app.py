"""The script that Streamlit runs: log in or register the user, and show the page.

It lies in this folder because Streamlit takes a folder ``pages`` beside its script for pages of its own.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from interface import error_views, layout, session, ui
from interface.pages import account, admin, forecast, models, record, risk
from make_us_rich.client import ApiError
from make_us_rich.client.schemas import Login, Usage

_FOLDER = Path(session.__file__).parent
_LOGO = str(_FOLDER / "logo.svg")
_ABOUT = "Calibrated forecasts of hourly crypto prices beside a baseline forecast. Not financial advice."
_RULES = (
    "A name has 3 to 64 letters from a to z, digits or . _ @ + - and begins with a letter or digit. A password has 10"
    " to 128 characters, at least 5 different ones, and does not contain the name."
)
_PUBLIC = "record"  # the page that needs no login
_NAME, _PASSWORD, _ERROR = "typed-name", "typed-password", "login_error"
_RESET = "reset"


def main() -> None:
    """One run of the script."""
    st.set_page_config("Make Us Rich", _LOGO, "wide", menu_items={"About": _ABOUT})
    st.html(_FOLDER / "style.css")
    st.logo(_LOGO, size="large")
    state = session.state()
    state.shown_usage = None
    try:
        user = session.load_user()
    except ApiError as error:
        st.navigation(_pages(state.user), position="hidden")
        error_views.show(error_views.of_error(error))
        return
    pages = _pages(user)
    page = st.navigation(pages, position="hidden")
    session.sync_cookie()  # Before the page, which may end the run.
    if user is None or _RESET in st.query_params:
        _show_public(page, pages)
        return
    place = layout.sidebar(user, [each for each in pages if each.visibility == "visible"])
    state = session.state()
    with error_views.errors_shown():
        if state.api_token and state.just_registered:
            account.show_welcome(state.api_token)
        else:
            page.run()
    if session.user() != user:  # The page has made a call.
        with place:
            layout.quota_bar(session.user())
    state.shown_usage = session.user()


def _pages(user: Usage | None) -> list[StreamlitPage]:
    """All pages: their addresses stay valid for after a log-in."""
    admins: Literal["visible", "hidden"] = "visible" if user is not None and user.is_admin else "hidden"
    return [
        st.Page(forecast.show, title="Forecast", icon=":material/ssid_chart:", url_path="forecast", default=True),
        st.Page(risk.show, title="Risk", icon=":material/balance:", url_path="risk"),
        st.Page(models.show, title="Models", icon=":material/fact_check:", url_path="models"),
        st.Page(record.show, title="Record", icon=":material/history:", url_path=_PUBLIC),
        st.Page(account.show, title="Account", icon=":material/person:", url_path="account"),
        st.Page(admin.show, title="Admin", icon=":material/tune:", url_path="admin", visibility=admins),
    ]


def _show_public(page: StreamlitPage, pages: Sequence[StreamlitPage]) -> None:
    """The record, or a form to log in or to set a new password."""
    if page.url_path == _PUBLIC:
        st.page_link(pages[0], label="Log in or register", icon=":material/login:")
        with error_views.errors_shown():
            page.run()
        return
    with st.container(key="login"):
        if _RESET in st.query_params:
            _show_reset(st.query_params[_RESET])
        else:
            _show_login()
        public = next(each for each in pages if each.url_path == _PUBLIC)
        st.page_link(public, label="The record of past forecasts, without a login")


def _show_login() -> None:
    """The form; a name that is not registered is offered for registration."""
    layout.header("Log in or register", "How far crypto prices may move in the next 24 hours, hour by hour.")
    if ended := session.state().ended:
        ui.notice(ended, tone="calm")
    api = session.client()
    # The provider has sent the browser back with it; once the login has changed, it has served.
    if not session.state().cookie_change[0] and (token := st.user.tokens.get("id")):
        with error_views.errors_shown():
            session.log_in(api.call("POST", "/login/oidc", Login, json={"id_token": token}))
            st.rerun()
    with st.form("login-form", border=True):
        st.text_input("Name", max_chars=64, autocomplete="username", key=_NAME)
        st.text_input("Password", type="password", max_chars=128, autocomplete="current-password", key=_PASSWORD)
        st.form_submit_button("Log in", type="primary", width="stretch", on_click=_submit, args=(api.log_in,))
    failed: tuple[str, ApiError] | None = st.session_state.get(_ERROR)
    if failed and failed[1].code == "unknown_user":
        ui.notice(f"Nobody is called {failed[0]} yet.", "Register with this name and the password above?", "calm")
        st.button("Register and log in", type="primary", width="stretch", on_click=_submit, args=(api.register,))
    elif failed:
        error_views.show_inline(error_views.of_error(failed[1]))
    if auth := st.secrets.get("auth") if st.secrets.load_if_toml_exists() else None:
        provider = urlsplit(auth["server_metadata_url"]).hostname
        if st.button(f"Log in with {provider}", width="stretch"):
            st.login()
    st.caption(f"New here? Enter the name and the password that you want. {_RULES}")


def _show_reset(token: str) -> None:
    """The form behind an admin's link."""
    layout.header("Set a new password", "All your logins end. Your API token stays.")
    with st.form("reset-form", border=True):
        new = st.text_input("New password", type="password", max_chars=128, autocomplete="new-password")
        submitted = st.form_submit_button("Set it and log in", type="primary", width="stretch")
    if submitted:
        with error_views.errors_shown():
            body = {"reset_token": token, "new_password": new}
            login = session.client().call("POST", "/password-reset", Login, json=body)
            del st.query_params[_RESET]
            session.log_in(login)
            st.rerun()
    st.caption(_RULES)


def _submit(call: Callable[[str, str], Login]) -> None:
    name, password = st.session_state[_NAME].strip(), st.session_state[_PASSWORD]
    try:
        session.log_in(call(name, password))
    except ApiError as error:
        st.session_state[_ERROR] = (name, error)


main()
