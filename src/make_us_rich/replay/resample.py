"""Longer candles made of shorter ones, exactly: texts are compared and added as decimals."""

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Context, Decimal
from functools import reduce
from typing import NamedTuple

from make_us_rich.replay.intervals import bucket
from make_us_rich.replay.series import Series

# Quote volumes have up to 12 digits before the point and 14 after it; a month of them must add up exactly.
_EXACT = Context(prec=80)


class Span(NamedTuple):
    """A longer candle: its open time, that of the next one, and the range of short candles it is made of."""

    opens: int
    stops: int
    first: int
    last: int


def spans_from(series: Series, interval: str, start: int, visible: int) -> Iterator[Span]:
    """Spans that open at ``start`` or later, ascending, of the first ``visible`` candles."""
    opens, (begin, following) = series.opens, bucket(interval, start)
    first = bisect_left(opens, begin if begin == start else following, 0, visible)
    while first < visible:
        begin, stop = bucket(interval, opens[first])
        last = bisect_left(opens, stop, first, visible)
        yield Span(begin, stop, first, last)
        first = last


def spans_until(series: Series, interval: str, end: int, visible: int) -> Iterator[Span]:
    """Spans that open at ``end`` or earlier, descending, of the first ``visible`` candles."""
    opens = series.opens
    last = bisect_left(opens, bucket(interval, end)[1], 0, visible)
    while last > 0:
        begin, stop = bucket(interval, opens[last - 1])
        first = bisect_left(opens, begin, 0, last)
        yield Span(begin, stop, first, last)
        last = first


def merged_candle(series: Series, interval: str, span: Span, now: int) -> bytes:
    """The longer candle as it looks at ``now``; kept once it can change no more."""
    kept = series.merged.get((interval, span.opens))
    if kept is not None and span.last <= series.settled(now) and span.stops <= now:
        return kept
    row = merge(series.at(span.first, span.last, now), span.opens, span.stops - 1)
    if span.last <= series.settled(now) and span.stops <= now:
        series.merged[interval, span.opens] = row
    return row


def merge(rows: Sequence[bytes], opens: int, closes: int) -> bytes:
    """One candle of several in a row: first open, highest high, lowest low, last close, and sums."""
    columns = list(zip(*json.loads(b"[" + b",".join(rows) + b"]"), strict=True))
    candle = [
        opens,
        columns[1][0],
        _extreme(max, columns[2]),
        _extreme(min, columns[3]),
        columns[4][-1],
        _total(columns[5]),
        closes,
        _total(columns[7]),
        sum(columns[8]),
        _total(columns[9]),
        _total(columns[10]),
        "0",
    ]
    return json.dumps(candle, separators=(",", ":")).encode()


def _extreme(choose: Callable[..., str], texts: Iterable[str]) -> str:
    return choose(texts, key=Decimal)


def _total(texts: Iterable[str]) -> str:
    return format(reduce(_EXACT.add, map(Decimal, texts)), "f")
