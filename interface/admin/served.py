"""Models: what is loaded, loading it again, an earlier day, an earlier version."""

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from interface import forecasts, session, states, tables
from interface.api_answers import Pairs, Promoted
from interface.api_errors import NotFoundError, UnavailableError
from interface.done import do


def show() -> None:
    """What is served for each pair, and three ways to change it."""
    pairs = session.client().pairs()
    if pairs.as_of:
        states.notice(
            f"The champions of {pairs.as_of:%d %B %Y} are served.", "Choose today's below to go back to the newest."
        )
    _table(pairs)
    left, right = st.columns(2, gap="small")
    with left.container(border=True, height="stretch"):
        _newest()
        _as_of(pairs)
    with right.container(border=True, height="stretch"):
        _rollback([each.pair for each in pairs.pairs])


def _table(pairs: Pairs) -> None:
    rows = [
        [
            each.pair,
            each.architecture,
            each.version,
            f"{each.issued_at:%d %b %H:%M}" if each.issued_at else "",
            each.problem,
        ]
        for each in pairs.pairs
    ]
    tables.show("Models", ["Pair", "Architecture", "Version", "Newest forecast (UTC)", "Problem"], rows)


def _newest() -> None:
    st.subheader("Load the newest")
    st.caption("New champions are picked up within a minute in any case.")
    if st.button("Load the newest champions now"):
        do(_changed(session.client().update_models), "The newest champions are loaded.")


def _as_of(pairs: Pairs) -> None:
    st.subheader("Serve an earlier day")
    today = datetime.now(UTC).date()
    day = st.date_input("As of the end of (UTC)", value=today, max_value=today, format="YYYY-MM-DD")
    with st.container(horizontal=True):
        if st.button("Serve that day's"):
            do(_changed(lambda: session.client().update_date(day)), "The champions of that day are served.")
        if st.button("Serve today's", disabled=pairs.as_of is None):
            do(_changed(lambda: session.client().update_date(None)), "Today's champions are served.")


def _rollback(pairs: list[str]) -> None:
    st.subheader("Make an earlier version the champion")
    st.caption("Until a newer one passes the gate. The pointer in the store changes, so every process follows.")
    pair = st.selectbox("Pair", pairs)
    try:
        found = session.client().versions(pair)
    except (NotFoundError, UnavailableError) as error:
        states.show_briefly(states.of_error(error))
        return
    earlier = {each.version: each for each in found.earlier}
    if not earlier:
        states.notice("There is no earlier champion.", "The first one is served.", "calm")
        return
    version = st.selectbox("Version", list(earlier), format_func=lambda each: _named(earlier[each]))
    if st.button("Make it the champion"):
        do(_changed(lambda: session.client().roll_back(pair, version)), "The earlier version is the champion.")


def _named(promoted: Promoted) -> str:
    return f"{promoted.version}, champion since {promoted.at:%d %b %Y %H:%M} UTC"


def _changed(change: Callable[[], object]) -> Callable[[], object]:
    """The change, after which what is served is asked for anew."""

    def made() -> None:
        change()
        forecasts.forget_pairs()

    return made
