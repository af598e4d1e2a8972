"""What admins do: users, plans, models, runs; one section at a time, so that only what is looked at is asked for."""

from collections.abc import Callable

import streamlit as st

from interface import done, frame, session, states
from interface.admin import plans, runs, served, users
from interface.api_errors import ForbiddenError

_SECTIONS: dict[str, Callable[[], None]] = {
    "Users": users.show,
    "Plans": plans.show,
    "Models": served.show,
    "Runs and alerts": runs.show,
}


def show() -> None:
    """The page; for others it says whom to ask."""
    frame.header("Admin", "Users and what they may use, models and what is served, and what ran.")
    if not session.user().is_admin:
        states.show(states.of_error(ForbiddenError("only an admin may see this")))
        return
    done.tell()
    names = list(_SECTIONS)
    chosen = st.segmented_control("Section", names, default=names[0], required=True, label_visibility="collapsed")
    _SECTIONS[chosen or names[0]]()
