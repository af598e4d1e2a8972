"""The interface, put together: Streamlit, the route of the cookie, and what is shown when a page has a fault."""

import logging
from pathlib import Path

import streamlit as st

from interface import cookie, states

log = logging.getLogger(__name__)


def create_app() -> st.App:
    """The interface as an ASGI application; it starts whether or not the API answers."""
    script = Path(__file__).with_name("streamlit_app.py")
    return st.App(script, routes=cookie.ROUTES, on_script_error=_faulty)


def _faulty(error: Exception) -> bool:
    log.error("a page has failed", exc_info=error)
    states.show(states.BROKEN)
    return True
