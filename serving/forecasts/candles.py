"""The newest closed candles of each pair in memory: fetched once an hour; the last good ones are kept."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import NamedTuple

import pandas as pd

from make_us_rich.domain.errors import DataError, ExchangeUnreachableError, MakeUsRichError, RateLimitedError
from make_us_rich.domain.klines import HOUR, hour_of
from make_us_rich.domain.pair import Pair
from make_us_rich.domain.run import utc_now
from make_us_rich.exchange import BinanceClient
from make_us_rich.klines.frame import datetimes, merge_klines
from make_us_rich.klines.incremental import find_corrections
from make_us_rich.klines.quality import check_candles
from make_us_rich.klines.rules import FetchInfo, QualityRules

log = logging.getLogger(__name__)

_MIN_WAIT, _MAX_WAIT = 15.0, 300.0
_RULES = QualityRules(recent_days=1, max_missing_share=1, frozen_hours=3, min_training_candles=1)
"""Bad candles are dropped, and the model decides whether the others suffice."""


@dataclass(frozen=True)
class Candles:
    """Closed candles of one pair, in the kline schema, oldest first, clean; gaps are not filled."""

    frame: pd.DataFrame
    hours: int
    """Number of hours that were requested."""

    @property
    def closed_at(self) -> datetime:
        """When the newest candle closed, UTC: the time of issue of a forecast from it."""
        return datetimes(self.frame["timestamp"].tail(1))[0] + HOUR


class _Retry(NamedTuple):
    """When a pair is fetched again (monotonic seconds), and for which hour."""

    at: float = 0.0
    wait: float = 0.0
    hour: datetime | None = None


class CandleCache:
    """Candles by pair, at least of ``min_hours(pair)``. Reading takes no lock; one thread at a time requests them."""

    def __init__(
        self,
        client: BinanceClient,
        pairs: Sequence[str],
        min_hours: Callable[[str], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.refreshed = False
        """Whether candles have been requested once, with any result."""
        self._client = client
        self._pairs = tuple(pairs)
        self._min_hours = min_hours
        self._monotonic = monotonic
        self._lock = Lock()
        self._offset = timedelta()
        self._candles: dict[str, Candles] = {}
        self._problems: dict[str, str] = {}
        self._exchange_problem: str | None = None
        self._retries: dict[str, _Retry] = {}

    @property
    def simulated(self) -> bool:
        """Whether the exchange says that its market is simulated."""
        return self._client.simulated

    def now(self) -> datetime:
        """The exchange's time, UTC, as far as it is known; a replay may be in the past."""
        return utc_now() + self._offset

    def get(self, pair: str) -> Candles | None:
        """The candles of a pair, or None before the first ones."""
        return self._candles.get(pair)

    def problem(self, pair: str) -> str | None:
        """Why the newest candles of a pair are missing."""
        return self._exchange_problem or self._problems.get(pair)

    def refresh(self) -> None:
        """Fetch the exchange's time, and the candles of each pair that has a new closed one.

        A pair that fails is fetched again after 15 s, then after twice as long each time, up to five minutes. Where
        the exchange is down or refuses requests for some time, no other pair is fetched in this round.
        """
        with self._lock:
            try:
                now = self._client.now()
                self._offset, self._exchange_problem = now - utc_now(), None
                for pair in self._pairs:
                    self._update(pair, now)
            except MakeUsRichError as exc:
                self._log(self._exchange_problem, str(exc))
                self._exchange_problem = str(exc)
            self.refreshed = True

    def _update(self, pair: str, now: datetime) -> None:
        # After a page of 1,000 candles the client requests the next one.
        hour, hours, candles = hour_of(now), max(999, self._min_hours(pair)), self.get(pair)
        if candles and candles.closed_at == hour and candles.hours >= hours:
            return
        last = self._retries.get(pair, _Retry())
        if last.hour == hour and self._monotonic() < last.at:
            return
        problem = ""
        try:
            found = self._candles[pair] = self._fetch(pair, now, hours)
            if found.closed_at != hour:
                closed = f"{found.closed_at:%Y-%m-%d %H:%M} UTC"
                problem = f"{pair}: the exchange has no candle yet that closed after {closed}"
        except (ExchangeUnreachableError, RateLimitedError):
            raise
        except MakeUsRichError as exc:
            problem = str(exc)
        wait = min(_MAX_WAIT, 2 * last.wait) if last.hour == hour else _MIN_WAIT
        self._retries[pair] = _Retry(self._monotonic() + wait, wait, hour)
        if problem:
            self._log(self._problems.get(pair), problem)
            self._problems[pair] = problem
        else:
            self._problems.pop(pair, None)

    def _fetch(self, pair: str, now: datetime, hours: int) -> Candles:
        """The candles of the last hours; the cached ones fill the gaps of the response."""
        start, end, cached = hour_of(now) - hours * HOUR, hour_of(now), self.get(pair)
        sent = self._client.klines(pair, start, end)
        frame, _ = check_candles(sent, Pair.parse(pair), FetchInfo(now=now), _RULES)
        if frame.empty:
            raise DataError(f"{pair}: the exchange has sent no usable candle of the last {hours} hours")
        if cached:
            try:
                find_corrections(cached.frame, frame, pair)
                frame = merge_klines(cached.frame, frame)
            except DataError:
                log.warning("%s: the exchange offers another market now; its candles replace the cached ones", pair)
        recent = frame[frame["timestamp"].between(start, end, inclusive="left")]
        return Candles(recent.reset_index(drop=True), hours)

    @staticmethod
    def _log(before: str | None, problem: str) -> None:
        if problem != before:
            log.warning("%s; using the cached candles", problem)
