"""Hours without a forecast, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd

from make_us_rich.candles.times import datetimes
from make_us_rich.domain.attempt import Attempt
from make_us_rich.domain.klines import HOUR

UNEXPLAINED = "unexplained"
"""Kind of a hole that should not be: a run ended well in that hour, and there is neither forecast nor reason."""

DTYPES: dict[str, str] = {
    "hour": "datetime64[ms, UTC]",
    "kind": "str",
    "reason": "str",
    "noted_at": "datetime64[ms, UTC]",
}
"""Columns of the holes: the moment at which a forecast should have been issued, and why there is none."""


@dataclass(frozen=True)
class Hole:
    """An hour without a forecast.

    Attributes:
        hour: When it should have been issued, UTC.
        kind: One word.
        reason: In words.
    """

    hour: datetime
    kind: str
    reason: str


@dataclass(frozen=True)
class Log:
    """What is known of the runs.

    Attributes:
        attempts: Oldest first, by the machine's clock.
        ahead: The exchange's clock minus the machine's: a replay lives in the past.
    """

    attempts: Sequence[Attempt]
    ahead: timedelta = timedelta()

    def explain(self, hour: datetime) -> Hole:
        """Why an hour that is over has no forecast."""
        begun = [each for each in self.attempts if hour <= each.began + self.ahead < hour + HOUR]
        if not begun:
            return Hole(hour, "no_run", "no run began in this hour: the machine, its schedule or the store was down")
        failed = [each.error for each in begun if each.error]
        if failed:
            return Hole(hour, "failed", f"the run failed: {failed[-1]}")
        ends = [each.ended for each in begun]
        if None in ends:
            return Hole(hour, "killed", "the run was killed before it had issued a forecast")
        if all(end and end + self.ahead >= hour + HOUR for end in ends):
            return Hole(hour, "slow", "the run was not done when the hour was over")
        return Hole(hour, UNEXPLAINED, "a run ended well, and has left neither a forecast nor a reason")


def update_holes(
    stored: pd.DataFrame, issued: Sequence[datetime], found: Hole | None, log: Log, now: datetime
) -> pd.DataFrame:
    """The holes with those that have been found since, each hour once.

    Args:
        stored: Those that are known; possibly without rows and columns.
        issued: Moments of all forecasts in the record.
        found: Of the present hour; None where it has a forecast.
        log: Explains the hours in between.
        now: The exchange's time, UTC; nothing is said of the hour that is not over but by ``found``.
    """
    kept = typed(stored)
    kept = kept[~kept["hour"].isin(list(issued))]
    known = {*issued, *datetimes(kept["hour"])}
    new = [log.explain(hour) for hour in _hours(known, now) if hour not in known]
    if found is not None and found.hour not in known:
        new.append(found)
    rows = frame(new, now)
    return pd.concat([kept, rows], ignore_index=True) if len(kept) else rows


def frame(holes: Sequence[Hole], noted_at: datetime) -> pd.DataFrame:
    """Holes as rows."""
    rows = [(each.hour, each.kind, each.reason, noted_at) for each in holes]
    return pd.DataFrame(rows, columns=list(DTYPES)).astype(DTYPES)


def typed(stored: pd.DataFrame) -> pd.DataFrame:
    """The holes with all their columns, also where none is stored yet."""
    return stored if len(stored.columns) else frame([], _EPOCH)


def _hours(known: set[datetime], now: datetime) -> Iterator[datetime]:
    """Every hour since the first one that is known, up to the last one that is over."""
    hour = min(known, default=now)
    while hour + HOUR <= now:
        yield hour
        hour += HOUR


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
