"""Runs and alerts: whether the API is whole, what is wrong now, and how the last runs ended."""

import os
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import streamlit as st

from interface import forecasts, records, session, states, tables
from interface.api_answers import Ready
from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.hourly.runs import Run, read_runs

if TYPE_CHECKING:
    from make_us_rich.alerts.telling import Memory

_MOST = 25


def show() -> None:
    """What the API says of itself, and what the hourly job and the watch have written."""
    _health(session.client().ready())
    try:
        memory, runs = _alerts(), newest(_runs(each.pair) for each in forecasts.pairs().pairs)
    except MakeUsRichError as error:
        states.notice("The store cannot be read.", str(error), "stop")
        return
    _show_alerts(memory)
    _show_runs(runs)


def newest(of_pairs: Iterable[list[Run]]) -> list[Run]:
    """The last runs of all pairs, the newest first."""
    return sorted((run for runs in of_pairs for run in runs), key=lambda run: run.ended, reverse=True)[:_MOST]


def _health(ready: Ready) -> None:
    if ready.ready and not ready.degraded:
        states.notice("The API is ready.", "Models, candles and accounts are as they should be.", "calm")
    for reason in ready.reasons:
        states.notice("The API is not ready:", reason, "stop")
    for each in ready.degraded:
        states.notice("The API answers, but not with the newest:", each)


def _show_alerts(memory: "Memory") -> None:
    st.subheader("Alerts")
    if memory.open:
        rows = [[_at(each.since), each.alert.subject, each.alert.text] for each in memory.open.values()]
        tables.show("What is wrong now", ["Wrong since (UTC)", "With", "What"], rows)
    if memory.told:
        rows = [[_at(each.at), each.event, each.text] for each in reversed(memory.told[-_MOST:])]
        tables.show("What was told", ["Told (UTC)", "Event", "What"], rows)
    if not memory.open and not memory.told:
        states.notice("No alerts yet.", "kedro watch looks whether something is wrong, and tells.", "calm")


def _show_runs(runs: list[Run]) -> None:
    st.subheader("Last runs")
    if not runs:
        states.notice("No hourly run yet.", "kedro hourly runs what an hour asks for; cron calls it.", "calm")
        return
    rows = [[_at(run.ended), run.pipeline, "ok" if run.ok else "failed", run.reason] for run in runs]
    tables.show("Last runs", ["Ended (UTC)", "Pipeline", "Result", "What it said last"], rows)


@st.cache_data(ttl=15, max_entries=1, show_spinner=False)
def _alerts() -> "Memory":
    # Here: they bring the catalog's datasets along, which nobody else looks for before they are needed.
    from make_us_rich.alerts import read_told
    from make_us_rich.alerts.telling import Memory

    told = read_told(os.environ.get("MAKE_US_RICH_ENV"))
    return Memory.read({name: told[name] for name in ("open", "told") if name in told})


@st.cache_data(ttl=15, max_entries=200, show_spinner=False)
def _runs(pair: str) -> list[Run]:
    return read_runs(records.load(f"{pair}.runs") or {}, pair)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
