"""The interface, put together: Streamlit, the route of the cookie, and what is shown when a page has a fault."""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from interface import cookie, early, plot, states

log = logging.getLogger(__name__)

_PAGES = ("account", "admin", "forecast", "login", "models", "welcome")


def create_app() -> st.App:
    """The interface as an ASGI application; it starts whether or not the API answers."""
    script = Path(__file__).with_name("streamlit_app.py")
    return st.App(
        script,
        lifespan=_lifespan,
        routes=[*cookie.ROUTES, *plot.ROUTES, *early.ROUTES],
        middleware=[Middleware(early.FromMemory)],
        on_script_error=_faulty,
    )


@asynccontextmanager
async def _lifespan(_app: st.App) -> AsyncIterator[None]:
    # Now, or the first visitor would wait for all that the pages import.
    for page in _PAGES:
        await asyncio.to_thread(importlib.import_module, f"interface.app_pages.{page}")
    await asyncio.to_thread(early.packed)
    yield


def _faulty(error: Exception) -> bool:
    log.error("a page has failed", exc_info=error)
    states.show(states.BROKEN)
    return True
