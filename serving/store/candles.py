"""The newest closed candles of each pair: asked for once an hour, the last good ones kept."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from types import MappingProxyType

import pandas as pd

from make_us_rich.candles.checks import check_candles
from make_us_rich.candles.frame import merge_klines
from make_us_rich.candles.same_market import refuse_other_market
from make_us_rich.candles.times import datetimes, hour_of
from make_us_rich.candles.verdict import Limits
from make_us_rich.domain.errors import DataError, ExchangeUnreachableError, MakeUsRichError, RateLimitedError
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.pair import Pair
from make_us_rich.domain.run import utc_now
from make_us_rich.exchange import BinanceClient

log = logging.getLogger(__name__)

ONE_ANSWER = 999
"""Candles that take one question: after an answer of 1,000 the client asks whether there are more."""

_FIRST_WAIT, _LONGEST_WAIT, _RATE_LIMITED_WAIT = 15.0, 300.0, 60.0
_LIMITS = Limits(recent_days=1, max_missing_share=1, frozen_hours=3, enough_candles=1)
"""Only the frozen hours matter here: bad candles are left out, and the model says whether it can do without."""


@dataclass(frozen=True)
class Candles:
    """One pair's closed candles.

    Attributes:
        frame: In the kline schema, oldest first, clean; a gap stays a gap.
        hours: How many hours back they were asked for.
        fetched_at: The exchange's clock, UTC.
    """

    frame: pd.DataFrame
    hours: int
    fetched_at: datetime

    @property
    def closed_at(self) -> datetime:
        """When the newest one closed, UTC: a forecast from them is issued then."""
        return datetimes(self.frame["timestamp"].tail(1))[0] + HOUR


@dataclass(frozen=True)
class _Wait:
    """When a pair may be asked for again, by the monotonic clock."""

    until: float = 0.0
    seconds: float = 0.0
    due: datetime | None = None


class CandleStore:
    """Candles by pair. Reading takes no lock; one thread at a time asks the exchange.

    Args:
        client: Asks the exchange.
        pairs: The configured pairs.
        depth: Hours that a pair's model needs.
        clock: The time of day, UTC.
        monotonic: Seconds that never run backwards.

    Attributes:
        asked: Every pair has been asked for once, whatever came of it.
    """

    def __init__(
        self,
        client: BinanceClient,
        pairs: Sequence[str],
        depth: Callable[[str], int],
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._pairs = tuple(pairs)
        self._depth = depth
        self._clock = clock
        self._monotonic = monotonic
        self._lock = Lock()
        self._ahead = timedelta()
        # Replaced and never changed: readers take no lock.
        self._candles: Mapping[str, Candles] = MappingProxyType({})
        self._problems: Mapping[str, str] = MappingProxyType({})
        self._down: str | None = None
        self._waits: dict[str, _Wait] = {}
        self.asked = False

    def now(self) -> datetime:
        """The exchange's time, UTC, as far as is known; a replay may live in the past."""
        return self._clock() + self._ahead

    def get(self, pair: str) -> Candles | None:
        """The pair's candles, or None where there have been none yet."""
        return self._candles.get(pair)

    @property
    def problems(self) -> Mapping[str, str]:
        """By pair, in words: why its newest candles are not there."""
        return dict.fromkeys(self._pairs, self._down) if self._down else self._problems

    def refresh(self) -> None:
        """Ask for what has closed since the last time.

        One question for the exchange's time, and one for each pair whose hour is over. A pair that fails is asked
        again after 15 s, then after twice as long each time, up to five minutes.
        """
        with self._lock:
            try:
                self._ask_all(self._now())
            except MakeUsRichError as exc:
                self._tell(self._down, str(exc))
                self._down = str(exc)
            self.asked = True

    def _now(self) -> datetime:
        now = self._client.now()
        self._ahead, self._down = now - self._clock(), None
        return now

    def _ask_all(self, now: datetime) -> None:
        for pair in self._pairs:
            if self._is_due(pair, now):
                self._ask(pair, now)

    def _hours(self, pair: str) -> int:
        return max(ONE_ANSWER, self._depth(pair))

    def _is_due(self, pair: str, now: datetime) -> bool:
        there, due = self.get(pair), hour_of(now)
        if there and there.closed_at == due and there.hours >= self._hours(pair):
            return False
        wait = self._waits.get(pair, _Wait())
        return wait.due != due or self._monotonic() >= wait.until

    def _ask(self, pair: str, now: datetime) -> None:
        floor = _FIRST_WAIT
        try:
            problem = self._put(pair, self._fetch(pair, now), now)
        except ExchangeUnreachableError:
            raise  # The next pair would wait for the same exchange as long as this one has.
        except MakeUsRichError as exc:
            problem = str(exc)
            floor = _RATE_LIMITED_WAIT if isinstance(exc, RateLimitedError) else floor
        self._note(pair, problem, hour_of(now), floor)

    def _fetch(self, pair: str, now: datetime) -> Candles:
        hours, end = self._hours(pair), hour_of(now)
        sent = self._client.klines(pair, end - hours * HOUR, end)
        clean, _ = check_candles(sent, Pair.parse(pair), now, _LIMITS)
        if clean.empty:
            raise DataError(f"{pair}: the exchange has sent no usable candle of the last {hours} hours")
        kept = self._still_true(pair, clean)
        merged = merge_klines(kept, clean)
        recent = merged[merged["timestamp"].between(end - hours * HOUR, end, inclusive="left")]
        return Candles(recent.reset_index(drop=True), hours, now)

    def _still_true(self, pair: str, sent: pd.DataFrame) -> pd.DataFrame:
        """The candles of before, which fill what an answer left out; none where the market is another one."""
        there = self.get(pair)
        if there is None:
            return sent.head(0)
        try:
            refuse_other_market(there.frame, sent, pair)
        except DataError:
            log.warning("%s: the exchange offers another market than before; its candles take their place", pair)
            return sent.head(0)
        return there.frame

    def _put(self, pair: str, found: Candles, now: datetime) -> str | None:
        self._candles = MappingProxyType({**self._candles, pair: found})
        if found.closed_at == hour_of(now):
            return None
        return f"{pair}: the exchange has no candle yet that closed after {found.closed_at:%Y-%m-%d %H:%M} UTC"

    def _note(self, pair: str, problem: str | None, due: datetime, floor: float) -> None:
        before = self._waits.get(pair, _Wait())
        seconds = min(_LONGEST_WAIT, max(floor, 2 * before.seconds if before.due == due else 0.0))
        self._waits[pair] = _Wait(self._monotonic() + seconds, seconds, due)
        self._tell(self._problems.get(pair), problem)
        others = {name: told for name, told in self._problems.items() if name != pair}
        self._problems = MappingProxyType({**others, **({pair: problem} if problem else {})})

    def _tell(self, before: str | None, problem: str | None) -> None:
        if problem and problem != before:
            log.warning("%s; keeping the candles that are there", problem)
