"""Which candles answer a request at a moment."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import islice

from make_us_rich.replay.intervals import FIXED
from make_us_rich.replay.resample import Span, merged_candle, spans_from, spans_until
from make_us_rich.replay.series import Series


@dataclass(frozen=True)
class Window:
    """The part of a series that is asked for, by open time.

    Attributes:
        start: First open time in milliseconds UTC; None asks for the last candles.
        end: Last open time in milliseconds UTC, inclusive; None is now.
        limit: Candles at most.
    """

    start: int | None
    end: int | None
    limit: int


@dataclass(frozen=True)
class Moment:
    """When the request comes.

    Attributes:
        now: Virtual time in milliseconds UTC; nothing that opens later is seen.
        unclosed: Whether the candle that is still open is shown.
    """

    now: int
    unclosed: bool = True


def candles(series: Series, interval: str, window: Window, moment: Moment) -> list[bytes]:
    """The candles that Binance would send, ascending, as JSON arrays."""
    if FIXED.get(interval) == series.step:
        return _as_they_are(series, window, moment)
    return _merged(series, interval, window, moment)


def last_close_index(series: Series, now: int) -> int | None:
    """The last closed candle at ``now``, or None before the first one has closed."""
    closed = series.closed(now)
    return closed - 1 if closed else None


def _shown(series: Series, moment: Moment) -> int:
    return series.visible(moment.now) if moment.unclosed else series.closed(moment.now)


def _as_they_are(series: Series, window: Window, moment: Moment) -> list[bytes]:
    last = _shown(series, moment)
    if window.end is not None:
        last = bisect_right(series.opens, window.end, 0, last)
    if window.start is None:
        return series.at(max(0, last - window.limit), last, moment.now)
    first = bisect_left(series.opens, window.start, 0, last)
    return series.at(first, min(last, first + window.limit), moment.now)


def _merged(series: Series, interval: str, window: Window, moment: Moment) -> list[bytes]:
    return [merged_candle(series, interval, span, moment.now) for span in _spans(series, interval, window, moment)]


def _spans(series: Series, interval: str, window: Window, moment: Moment) -> list[Span]:
    # Beyond now nothing is seen, and times far beyond it have no calendar month.
    end = moment.now if window.end is None else min(window.end, moment.now)
    shown = _shown(series, moment)
    if window.start is None:
        found = (span for span in spans_until(series, interval, end, shown) if _is_shown(span, moment))
        return list(islice(found, window.limit))[::-1]
    if window.start > end:
        return []
    found = (span for span in spans_from(series, interval, window.start, shown) if _is_shown(span, moment))
    return [span for span in islice(found, window.limit) if span.opens <= end]


def _is_shown(span: Span, moment: Moment) -> bool:
    return moment.unclosed or span.stops <= moment.now
