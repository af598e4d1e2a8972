"""The script that Streamlit runs: who is there, and which page they see."""

from typing import Literal

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from interface import frame, session, states
from interface.api_answers import Usage
from interface.api_errors import ApiError
from interface.app_pages import account, admin, forecast, login, models, welcome


def main() -> None:
    """One run of the script."""
    frame.dress()
    session.meter_is_missing()
    try:
        user = session.recognise()
    except ApiError as error:
        navigate(session.last_known())
        states.show(states.of_error(error))
        return
    page = navigate(user)
    session.run_errand()  # Before the page, which may end the run.
    if user is None:
        login.show()
    else:
        place = frame.sidebar(user)
        with states.told():
            run(page)
        if session.user() != user:  # The page has made a call.
            with place:
                frame.meter(session.user())
        session.meter_is_drawn()


def run(page: StreamlitPage) -> None:
    """The page that was chosen; before it, once, the API token of who has just registered."""
    token = session.new_token()
    if token and session.has_just_registered():
        welcome.show(token)
    else:
        page.run()


def navigate(user: Usage | None) -> StreamlitPage:
    """The pages that a user sees; the addresses of the others are kept for after a log-in."""
    shown: Literal["visible", "hidden"] = "visible" if user is not None and user.is_admin else "hidden"
    pages = [
        st.Page(forecast.show, title="Forecast", icon=":material/ssid_chart:", url_path="forecast", default=True),
        st.Page(models.show, title="Models", icon=":material/fact_check:", url_path="models"),
        st.Page(account.show, title="Account", icon=":material/person:", url_path="account"),
        st.Page(admin.show, title="Admin", icon=":material/tune:", url_path="admin", visibility=shown),
    ]
    return st.navigation(pages, position="sidebar" if user is not None else "hidden")


main()
