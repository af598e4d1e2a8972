"""Logging in and, for a name that nobody has, registering."""

from collections.abc import Callable

import streamlit as st

from interface import frame, markup, session, states
from interface.api_answers import Login
from interface.api_errors import ApiError

RULES = (
    "A name has 3 to 64 letters from a to z, digits or . _ @ + - and begins with a letter or digit."
    " A password has 10 to 128 characters; your name and repetitions do not count as one."
)
_UNKNOWN = "nobody_has"
_REFUSED = "refused"
_NAME, _PASSWORD = "typed-name", "typed-password"


def show() -> None:
    """The form; a name that nobody has is offered to be registered."""
    with st.container(key="login"):
        frame.header("Log in or register", "How far crypto prices may move in the next 24 hours, hour by hour.")
        if session.has_ended():
            states.notice("Your login has ended.", "Log in again.", "calm")
        with st.form("login-form", border=True):
            st.text_input("Name", max_chars=64, autocomplete="username", key=_NAME)
            st.text_input("Password", type="password", max_chars=128, autocomplete="current-password", key=_PASSWORD)
            st.form_submit_button("Log in", type="primary", width="stretch", on_click=_log_in)
        _show_answer()
        markup.show(
            '<p class="mur-hint">New here? Type the name and the password that you want. {rules}</p>', rules=RULES
        )


def _show_answer() -> None:
    """What came of the last try."""
    unknown: str | None = st.session_state.get(_UNKNOWN)
    refused: ApiError | None = st.session_state.get(_REFUSED)
    if unknown is not None:
        states.notice(f"Nobody is called {unknown} yet.", "Register with this name and the password above?", "calm")
        st.button("Register and log in", type="primary", width="stretch", on_click=_register, disabled=not unknown)
    elif refused is not None:
        states.show_briefly(states.of_error(refused))


def _log_in() -> None:
    _try(session.client().log_in)


def _register() -> None:
    _try(session.client().register)


def _try(call: Callable[[str, str], Login]) -> None:
    name, password = st.session_state[_NAME].strip(), st.session_state[_PASSWORD]
    st.session_state[_UNKNOWN] = st.session_state[_REFUSED] = None
    try:
        session.enter(call(name, password))
    except ApiError as error:
        if error.code == "unknown_user":
            st.session_state[_UNKNOWN] = name
        else:
            st.session_state[_REFUSED] = error
