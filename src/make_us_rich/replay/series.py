"""The candles of one symbol, those that a request gets at a moment, and longer candles made of them."""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from functools import lru_cache, reduce
from hashlib import blake2b
from itertools import groupby, islice

from make_us_rich.domain.klines import INTERVAL_MS, to_ms

DAY_MS = INTERVAL_MS["1d"]
WEEK_MS = 7 * DAY_MS

# Quote volumes have up to 12 digits before the point and 14 after it; a month of them must add up exactly.
_EXACT = Context(prec=80)


@dataclass(frozen=True, eq=False)
class Series:
    """Candles of ``step`` milliseconds: ascending open times (ms UTC) and JSON arrays, ``[candle]``."""

    step: int
    opens: Sequence[int]
    rows: Sequence[bytes]

    def closed(self, now: int) -> int:
        """Number of candles before the ones, if any, that are still open at ``now``."""
        last = bisect_right(self.opens, now)
        while last > 0 and not self._is_closed(last - 1, now):
            last -= 1
        return last

    def at(self, first: int, last: int, now: int) -> list[bytes]:
        """The candles ``first`` to ``last`` (exclusive); an open one has only what is known when it opens."""
        rows = list(self.rows[first:last])
        for place in range(max(first, bisect_left(self.opens, now - self.step + 1)), last):
            if not self._is_closed(place, now):
                opened, price = json.loads(self.rows[place])[:2]
                zero = "0.00000000"
                candle = [opened, *[price] * 4, zero, opened + self.step - 1, zero, 0, zero, zero, "0"]
                rows[place - first] = json.dumps(candle, separators=(",", ":")).encode()
        return rows

    def _is_closed(self, at: int, now: int) -> bool:
        opened, closes = self.opens[at], json.loads(self.rows[at])[6]
        full = opened + self.step - 1
        # An odd close time is honoured where it shortens the candle (the exchange stopped); else it is dirt.
        return (closes if opened < closes < full else full) < now


@dataclass(frozen=True)
class KlinesQuery:
    """A request for klines; without ``start`` the last ones up to ``end``, which is inclusive and now by default."""

    symbol: str
    interval: str
    start: int | None
    end: int | None
    limit: int


def select_candles(series: Series, query: KlinesQuery, now: int, *, unclosed: bool = True) -> list[bytes]:
    """The candles that Binance would send at ``now`` (ms UTC), ascending, as JSON arrays.

    Later candles are excluded; the current, unclosed one is included only with ``unclosed``.
    """
    opens, interval, limit = series.opens, query.interval, query.limit
    shown = bisect_right(opens, now) if unclosed else series.closed(now)
    # Beyond now nothing is seen, and times far beyond it have no calendar month.
    end = now if query.end is None else min(query.end, now)
    start = None if query.start is None else min(query.start, end + 1)
    if INTERVAL_MS.get(interval) == series.step:
        last = bisect_right(opens, end, 0, shown)
        first = max(0, last - limit) if start is None else bisect_left(opens, start, 0, last)
        return series.at(first, min(last, first + limit), now)
    places = range(bisect_left(opens, bucket(interval, end)[1], 0, shown))
    if start is None:
        places = places[::-1]
    else:
        begin, following = bucket(interval, start)
        places = places[bisect_left(opens, begin if begin == start else following, 0, shown) :]
    groups = groupby(places, lambda place: bucket(interval, opens[place]))
    spans = ((opened, stop, sorted(members)) for (opened, stop), members in groups if unclosed or stop <= now)
    found = sorted(islice(spans, limit))
    return [merge(series.at(places[0], places[-1] + 1, now), opened, stop - 1) for opened, stop, places in found]


def bucket(interval: str, moment: int) -> tuple[int, int]:
    """The open time of the candle that a moment falls into and of the next one, in milliseconds UTC."""
    if interval == "1M":
        first = datetime.fromtimestamp(moment // 1000, UTC).replace(day=1, hour=0, minute=0, second=0)
        following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        return to_ms(first), to_ms(following)
    # The first Monday was 5 January 1970.
    length, offset = (WEEK_MS, 4 * DAY_MS) if interval == "1w" else (INTERVAL_MS[interval], 0)
    start = moment - (moment - offset) % length
    return start, start + length


def merge(rows: Sequence[bytes], opens: int, closes: int) -> bytes:
    """One candle of several in a row: first open, highest high, lowest low, last close, and exact sums."""
    columns = list(zip(*json.loads(b"[" + b",".join(rows) + b"]"), strict=True))
    totals = [format(reduce(_EXACT.add, map(Decimal, columns[column])), "f") for column in (5, 7, 9, 10)]
    prices = [columns[1][0], max(columns[2], key=Decimal), min(columns[3], key=Decimal), columns[4][-1]]
    candle = [opens, *prices, totals[0], closes, totals[1], sum(columns[8]), *totals[2:], "0"]
    return json.dumps(candle, separators=(",", ":")).encode()


@lru_cache(maxsize=16)
def without_share(series: Series, share: float, salt: str) -> Series:
    """The series less a share (0 to 1) of its candles; the salt alone decides which."""
    draws = (blake2b(f"{salt}:{opened}".encode(), digest_size=8).digest() for opened in series.opens)
    limit, rows = int(share * 2**64), series.rows[:]
    retained = [at for at, draw in enumerate(draws) if int.from_bytes(draw, "big") >= limit]
    return Series(series.step, [series.opens[at] for at in retained], [rows[at] for at in retained])
