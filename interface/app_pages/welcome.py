"""What is shown once, after registering or rotating: the API token."""

import streamlit as st

from interface import browser, frame, session, states


def show(token: str) -> None:
    """A page of its own after registering, so that the token is not overlooked."""
    frame.header("Welcome", "Your account is ready. This page is shown once.")
    show_token(token)
    st.button("I have kept it, show me the forecasts", type="primary", on_click=session.put_token_away)


def show_token(token: str) -> None:
    """The token with a button that copies it, and what to know about it."""
    states.notice("This is your API token. It is not shown again.", "Copy it now, and keep it as you keep a password.")
    browser.copyable("API token", token)
    st.caption("Programs call the API with it. This interface does not need it, and does not keep it.")
