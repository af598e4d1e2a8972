"""What has just been done, said in the run that shows it changed."""

from collections.abc import Callable
from typing import NoReturn

import streamlit as st

from interface import states

_DONE = "done"


def do(change: Callable[[], object], done: str) -> NoReturn:
    """Change something and run the page again; where the API refuses, say why and end the run."""
    with states.told():
        change()
    st.session_state[_DONE] = done
    st.rerun()


def tell() -> None:
    """Say what was done, once."""
    done = st.session_state.pop(_DONE, None)
    if done:
        states.notice(done, tone="calm")
