"""Incremental fetching: what to ask for, given what is stored, and what the exchange has changed since."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.klines import HOUR, KLINE_COLUMNS
from make_us_rich.klines.frame import datetimes
from make_us_rich.klines.quality import unusable

RETRY_WINDOW = timedelta(days=7)
"""How long the exchange may still fill a gap; older gaps are final."""

OVERLAP = 24
"""Stored candles that are asked for again with the new ones, in the same request, to compare the two."""

TOLERANCE = 0.001
"""Relative difference of a close above which two candles disagree."""

_ASKED_FROM, SIMULATED = "asked_from", "simulated"

Span = tuple[datetime, datetime]
"""Open times ``[start, end)``, UTC."""


def missing_spans(stored: pd.DataFrame, start: datetime, end: datetime) -> list[Span]:
    """The spans of open times ``[start, end)`` to ask for, full hours (UTC); none if all is there.

    At most two: what lies before the stored candles, and one span to the end, from ``OVERLAP`` hours before the first
    hour that is missing or unusable in the last days.
    """
    usable = stored[~unusable(stored)]
    if usable.empty:
        return [(start, end)]
    first, last = datetimes(usable["timestamp"].iloc[[0, -1]])
    recent = pd.date_range(max(first, min(end - RETRY_WINDOW, last + HOUR)), end, freq="h", inclusive="left")
    absent = recent[~recent.isin(usable["timestamp"])]
    missing = absent[0].to_pydatetime() if len(absent) else end
    head = (min(start, first), min(first, _asked_from(stored, first)))
    tail = (max(first, missing - OVERLAP * HOUR), end)
    return [head] * (head[0] < head[1]) + [tail] * (missing < end)


def annotate(klines: pd.DataFrame, stored: pd.DataFrame, start: datetime, *, simulated: bool) -> pd.DataFrame:
    """The frame with notes, which Parquet keeps: how early candles have been asked for, and from which market.

    A pair listed after ``start`` has no candles to offer before, and the first note saves asking every hour.
    """
    earliest = min(start, _asked_from(stored, start))
    noted = klines.copy(deep=False)
    noted.attrs = {_ASKED_FROM: earliest.isoformat(), SIMULATED: simulated}
    return noted


def _asked_from(stored: pd.DataFrame, default: datetime) -> datetime:
    note = stored.attrs.get(_ASKED_FROM)
    return datetime.fromisoformat(note) if isinstance(note, str) else default


def find_corrections(
    stored: pd.DataFrame, fetched: pd.DataFrame, name: str, *, simulated: bool | None = None
) -> tuple[datetime, ...]:
    """Open times of stored candles that the exchange has sent again with other values, ascending.

    Unusable stored candles, which are asked for again on purpose, are left out. ``simulated`` says whether ``fetched``
    comes from a simulated market; None if unknown.

    Raises:
        DataError: It is another market: one is simulated and the other is not, or more than half of at least three
            candles have closes that differ by more than ``TOLERANCE``.
    """
    noted = stored.attrs.get(SIMULATED)
    both = stored[~unusable(stored)].merge(fetched, on="timestamp", suffixes=("", "_fetched"))
    apart = (both["close_fetched"] / both["close"] - 1).abs() > TOLERANCE
    many = len(both) >= 3 and apart.mean() > 0.5
    if many or (isinstance(noted, bool) and simulated is not None and noted != simulated and len(stored)):
        difference = "one of them is simulated"
        if apart.any():
            odd = both[apart].iloc[0]
            difference = (
                f"{int(apart.sum())} of {len(both)} closes differ, such as {odd['close']:.8g} stored and"
                f" {odd['close_fetched']:.8g} sent for {odd['timestamp']:%Y-%m-%d %H:%M} UTC"
            )
        raise DataError(
            f"{name}: the candles of the exchange are of another market than the stored ones ({difference})",
            f"go back to the exchange_url of before, or delete 01_raw/{name}/klines.parquet from the store",
        )
    changed = np.zeros(len(both), dtype=bool)
    for column in KLINE_COLUMNS[1:-1]:
        changed |= (both[column] != both[f"{column}_fetched"]).to_numpy()
    return datetimes(both["timestamp"][changed])
