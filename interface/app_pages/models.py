"""What is served for each pair and why: the champion's card, its challengers, and every verdict."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from interface import choosing, forecasts, frame, records, states
from interface.app_pages import model_challengers, model_champion, model_verdicts
from make_us_rich.domain.errors import ArtifactError, StorageError


def show() -> None:
    """Choose a pair, and see its champion, its challengers and its verdicts."""
    frame.header("Models", "What is served for each pair, why, and what it did on hours that it had not seen.")
    served = forecasts.pairs()
    if not served.pairs:
        states.show(states.NO_PAIRS)
        return
    with st.container(key="choosers", width=360):
        pair = choosing.pair(served)
    with _told():
        _draw(pair)


def _draw(pair: str) -> None:
    champion, run = records.champion(pair), records.newest_run(pair)
    if champion.version is None and run is None:
        states.show(_nothing_yet(pair))
        return
    serving, testing, deciding = st.tabs(["Champion", "Challengers", "Verdicts"])
    with serving:
        model_champion.show(champion)
    with testing:
        model_challengers.show(pair, run)
    with deciding:
        model_verdicts.show(champion, run)


@contextmanager
def _told() -> Iterator[None]:
    """Say in words what is wrong with the store."""
    try:
        yield
    except StorageError as error:
        states.show(states.State("The store does not answer", f"{error}.", "This page tries again by itself.", "wait"))
    except ArtifactError as error:
        states.show(states.State("A record cannot be read", f"{error}.", "A newer run writes it anew.", "stop"))


def _nothing_yet(pair: str) -> states.State:
    return states.State(
        "No model yet",
        f"Nothing has been trained for {choosing.written(pair)} so far.",
        f"kedro run --pipeline={pair} trains, judges and publishes one; it appears here by itself.",
        "wait",
    )
