"""Runs and alerts: whether the API is whole, what is wrong now, and how the last runs ended."""

from interface import session, states, tables
from interface.api_answers import Ready


def show() -> None:
    """What the API says of itself."""
    ready = session.client().ready()
    _health(ready)


def _health(ready: Ready) -> None:
    if ready.ready and not ready.degraded:
        states.notice("The API is ready.", "Models, candles and accounts are as they should be.", "calm")
    for reason in ready.reasons:
        states.notice("Not ready:", reason, "stop")
    if ready.degraded:
        tables.show("What is not the newest", ["What is not the newest"], [[each] for each in ready.degraded])
