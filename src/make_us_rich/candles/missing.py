"""What a fetch has to ask for, given what is stored."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from make_us_rich.candles.faults import unusable
from make_us_rich.candles.times import datetimes, milliseconds
from make_us_rich.domain.klines import HOUR

REASK = timedelta(days=7)
"""How long the exchange may still fill a gap; older gaps are final."""

_ASKED_FROM = "asked_from"

Span = tuple[datetime, datetime]
"""Open times ``[start, end)``, UTC."""


def missing_spans(stored: pd.DataFrame, start: datetime, end: datetime) -> list[Span]:
    """The spans of ``[start, end)`` to ask for, so that nothing is asked for in vain; none if all is there.

    Args:
        stored: Stored candles, sorted; unusable ones count as not there.
        start: The first open time wanted, a full hour (UTC).
        end: The end of the last closed hour (UTC).

    Returns:
        At most two: what lies before the stored candles, and one span from the first hour missing in the
        last days to the end, which asks again for a few stored candles but is a single call. The candle before
        that hour is always among them, so that another market is recognised.
    """
    usable = stored[~unusable(stored)]
    if usable.empty:
        return [(start, end)]
    first = datetimes(usable["timestamp"].head(1))[0]
    head = (min(start, first), min(first, _asked_from(stored, first)))
    spans = [head, (_first_missing(usable, end), end)]
    return [_overlapping(span, first) for span in spans if span[0] < span[1]]


def _overlapping(span: Span, first: datetime) -> Span:
    return (max(first, span[0] - HOUR), span[1]) if span[0] > first else span


def remember_asked(klines: pd.DataFrame, stored: pd.DataFrame, start: datetime) -> pd.DataFrame:
    """The frame with a note of how early candles have been asked for.

    A pair listed after that has none to offer, and the note, which Parquet keeps, saves asking every hour.
    """
    earliest = min(start, _asked_from(stored, start))
    noted = klines.copy(deep=False)
    noted.attrs = {_ASKED_FROM: earliest.isoformat()}
    return noted


def _asked_from(stored: pd.DataFrame, default: datetime) -> datetime:
    note = stored.attrs.get(_ASKED_FROM)
    return datetime.fromisoformat(note) if isinstance(note, str) else default


def _first_missing(usable: pd.DataFrame, end: datetime) -> datetime:
    first, last = datetimes(usable["timestamp"].iloc[[0, -1]])
    begin = max(first, min(end - REASK, last + HOUR))
    hours = pd.date_range(begin, end, freq="h", inclusive="left", unit="ms")
    there = np.isin(hours.asi8, milliseconds(usable["timestamp"]))
    return end if there.all() else hours.to_pydatetime()[int(np.argmin(there))]
