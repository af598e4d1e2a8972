"""Runs and alerts: whether the API is whole, what is wrong now, and how the last runs ended."""

import os
from datetime import datetime
from typing import TYPE_CHECKING

import streamlit as st

from interface import session, states, tables
from interface.api_answers import LastRuns, Ready, RunEnded
from interface.api_errors import UnavailableError
from interface.numbers import hours, lasting
from make_us_rich.domain.errors import MakeUsRichError

if TYPE_CHECKING:
    from make_us_rich.alerts.telling import Memory

_MOST = 25


def show() -> None:
    """What the API says of itself and of the hourly job, and what the watch has written."""
    _health(session.client().ready())
    _show_alerts()
    _show_runs()


def _health(ready: Ready) -> None:
    if ready.ready and not ready.degraded:
        states.notice("The API is ready.", "Models, candles and accounts are as they should be.", "calm")
    for reason in ready.reasons:
        states.notice("The API is not ready:", reason, "stop")
    for each in ready.degraded:
        states.notice("The API answers, but not with the newest:", each)


def _show_alerts() -> None:
    st.subheader("Alerts")
    try:
        memory = _alerts()
    except MakeUsRichError as error:
        states.notice("What the watch has told cannot be read.", str(error), "stop")
        return
    if memory.open:
        rows = [[_at(each.since), each.alert.subject, each.alert.text] for each in memory.open.values()]
        tables.show("What is wrong now", ["Wrong since (UTC)", "With", "What"], rows)
    if memory.told:
        rows = [[_at(each.at), each.event, each.text] for each in reversed(memory.told[-_MOST:])]
        tables.show("What was told", ["Told (UTC)", "Event", "What"], rows)
    if not memory.open and not memory.told:
        states.notice("No alerts yet.", "kedro watch looks whether something is wrong, and tells.", "calm")


def _show_runs() -> None:
    st.subheader("Last runs")
    try:
        found = session.client().last_runs()
    except UnavailableError as error:
        states.show_briefly(states.of_error(error))
        return
    for problem in found.problems:
        states.notice("A record cannot be read.", problem, "stop")
    if found.runs:
        tables.show("Last runs", ["Ended (UTC)", "Pipeline", "Result", "Took", "What it said last"], _rows(found))
    elif not found.problems:
        states.notice("No hourly run yet.", "kedro hourly runs what an hour asks for; cron calls it.", "calm")


def _rows(found: LastRuns) -> list[list[str]]:
    return [[_at(run.ended), run.pipeline, *_result(run), run.reason] for run in found.runs]


def _result(run: RunEnded) -> tuple[str, str]:
    late = f", catches up {hours(run.missed)}" if run.missed else ""
    return f"{'ok' if run.ok else 'failed'}{late}", lasting(run.ended - run.started)


@st.cache_data(ttl=15, max_entries=1, show_spinner=False)
def _alerts() -> "Memory":
    # Here: they bring the catalog's datasets along, which nobody else looks for before they are needed.
    from make_us_rich.alerts import read_told
    from make_us_rich.alerts.telling import Memory

    told = read_told(os.environ.get("MAKE_US_RICH_ENV"))
    return Memory.read({name: told[name] for name in ("open", "told") if name in told})


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
