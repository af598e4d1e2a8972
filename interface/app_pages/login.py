"""Logging in and, for a name that nobody has, registering."""

import streamlit as st

from interface import frame, session, states
from interface.api_client import ApiClient
from interface.api_errors import ApiError

_OFFERED = "offered_name"
RULES = (
    "A name has 3 to 64 letters, digits or . _ @ + -. A password has 10 to 128 characters, and is not made of the name"
    " or of repetitions."
)


def show() -> None:
    """The form; a name that nobody has is offered to be registered."""
    with st.container(key="login", width=440):
        frame.header("Make Us Rich", "How far crypto prices may move in the next 24 hours.")
        if session.has_ended():
            states.notice("Your login has ended.", "Log in again.")
        with st.form("login-form"):
            name = st.text_input("Name", max_chars=64, autocomplete="username")
            password = st.text_input("Password", type="password", max_chars=128, autocomplete="current-password")
            sent = st.form_submit_button("Log in", type="primary", width="stretch")
        if sent:
            _log_in(session.client(), name, password)


def _log_in(api: ApiClient, name: str, password: str) -> None:
    try:
        session.enter(api.log_in(name, password))
    except ApiError as error:
        states.show(states.of_error(error))
        return
    st.rerun()
