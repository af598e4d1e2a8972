"""What the month has come to, for a person and as figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from benchmarks.month.plan import Event
from benchmarks.month.simulation import HOUR, Month, Raised
from make_us_rich.monitoring.missed_forecasts import UNEXPLAINED

HORIZONS = 24
"""Hours until a forecast has come true."""
MOST_GROWTH = 1.1
"""Of the store from half-time, when the record is full, to the end."""


def figures(month: Month) -> dict[str, Any]:
    """The figures of the month; the first six are asked for by name."""
    done = month.outcome
    raised = [each for each in month.outcome.told if each.event == "raised"]
    sizes = month.outcome.sizes
    return {
        "hours": month.plan.hours,
        "issued": len(done.issued),
        "scored": len(done.scored),
        "unexplained_missed_forecasts": sum(kind == UNEXPLAINED for kind in done.missed.values()) + missing(month),
        "duplicates": done.duplicates,
        "alerts": len(raised),
        "missed": dict(Counter(done.missed.values())),
        "unexpected_alerts": len(list(unexpected(raised, month.plan.events))),
        "missing_alerts": len(list(unraised(raised, month.plan.events))),
        "open_alerts": len(list(still_open(month))),
        "retrained": month.outcome.retrained,
        "disk_mb_half": round(sizes.get(month.plan.hours // 2 - 1, 0.0), 2),
        "disk_mb_end": round(sizes[month.plan.hours - 1], 2),
    }


def wrong(month: Month) -> Iterator[str]:
    """What is not as it should be; nothing after a good month."""
    found = figures(month)
    for name in ("unexplained_missed_forecasts", "duplicates", "unexpected_alerts", "missing_alerts", "open_alerts"):
        if found[name]:
            yield f"{found[name]} {name.replace('_', ' ')}"
    if found["issued"] - found["scored"] > HORIZONS:
        yield f"{found['issued'] - found['scored']} forecasts have no score, and only the last {HORIZONS} may"
    if found["disk_mb_end"] > MOST_GROWTH * found["disk_mb_half"]:
        yield f"the store grew from {found['disk_mb_half']} to {found['disk_mb_end']} MB in the second half"


def missing(month: Month) -> int:
    """Hours of which nothing is known at all; those at the end, when nothing ran any more, are none."""
    known = {*month.outcome.issued, *month.outcome.missed}
    hours = [pd.Timestamp(month.plan.start + at * HOUR) for at in range(month.plan.hours)]
    return sum(hour <= max(known) and hour not in known for hour in hours)


def unexpected(raised: list[Raised], events: Sequence[Event]) -> Iterator[Raised]:
    """Alerts that no event accounts for."""
    for each in raised:
        if not any(event.accounts_for(each.alert.kind, each.hour) for event in events):
            yield each


def unraised(raised: list[Raised], events: Sequence[Event]) -> Iterator[str]:
    """Alerts that an event should have raised."""
    for event in events:
        seen = {each.alert.kind for each in raised if event.accounts_for(each.alert.kind, each.hour)}
        yield from (f"{event.name} at hour {event.start}: {kind}" for kind in event.expected if kind not in seen)


def still_open(month: Month) -> Iterator[str]:
    """Alerts that were raised, are not over, and should be: no event accounts for them at the end."""
    last = {each.alert.key: each for each in month.outcome.told}
    for key, each in last.items():
        told = each.event != "resolved"
        if told and not any(event.accounts_for(each.alert.kind, month.plan.hours - 1) for event in month.plan.events):
            yield key


def report(month: Month) -> Iterator[str]:
    """Lines for a person."""
    found = figures(month)
    yield f"{found['hours']} hours, {found['issued']} forecasts issued, {found['scored']} scored"
    yield f"hours without one: {found['missed']}"
    yield f"store: {found['disk_mb_half']} MB at half-time, {found['disk_mb_end']} MB at the end"
    yield "What went wrong:"
    for event in month.plan.events:
        yield f"  day {event.start // 24:2d} {event.start % 24:02d}:00  {event.name}, {event.hours} h"
    yield "What was sent:"
    for each in month.outcome.told:
        yield f"  day {each.hour // 24:2d} {each.hour % 24:02d}h  {each.event:8s} {each.text}"
    raised = [each for each in month.outcome.told if each.event == "raised"]
    for each in unexpected(raised, month.plan.events):
        yield f"  UNEXPECTED: {each.text}"
    for told in unraised(raised, month.plan.events):
        yield f"  NOT RAISED: {told}"
    yield "Runs that failed, by their error:"
    for error, count in Counter(month.outcome.failures).most_common():
        yield f"  {count:3d} times {error[:160]}"
    for line in wrong(month):
        yield f"NOT AS IT SHOULD BE: {line}"
