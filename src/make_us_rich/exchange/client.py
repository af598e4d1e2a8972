"""Candles and time from Binance, or from anything that speaks its protocol."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cached_property, partial
from threading import Lock
from typing import Any

import pandas as pd

from make_us_rich.candles.frame import merge_klines, to_klines
from make_us_rich.candles.times import milliseconds
from make_us_rich.domain.errors import ExchangeError
from make_us_rich.domain.klines import INTERVAL
from make_us_rich.domain.pair import Pair
from make_us_rich.domain.times import from_ms, to_ms
from make_us_rich.exchange.access import Access
from make_us_rich.exchange.budget import Budget
from make_us_rich.exchange.intervals import length_of
from make_us_rich.exchange.retries import Answer, Retries

PAGE = 1000
"""Candles that Binance gives in one answer."""

TIME_WEIGHT, KLINES_WEIGHT = 1, 2
USED_HEADER = "x-mbx-used-weight-1m"

_DAY = timedelta(days=1)


class BinanceClient:
    """The python-binance client with paging, retries and errors in words. May be shared by threads.

    Nothing is imported or asked before the first question.

    Example:
        >>> client = BinanceClient("https://data-api.binance.vision")
        >>> candles = client.five_days("btc_usdt")  # doctest: +SKIP

    Attributes:
        url: Address without ``/api``.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        secret: str | None = None,
        timeout: float = 10.0,
        retries: Retries | None = None,
        budget: Budget | None = None,
    ) -> None:
        """Keep the address; nothing is asked yet.

        Args:
            url: Such as ``https://api.binance.com``.
            key: API key, not needed for candles.
            secret: API secret, not needed for candles.
            timeout: Seconds to wait for an answer.
            retries: How patient to be.
            budget: What this machine may ask for in a minute; Binance's own limit unless given.
        """
        self.url = url.rstrip("/")
        self._access = Access(self.url, key, secret, timeout)
        self._retries = retries or Retries()
        self._budget = budget or Budget(self.url)
        self._lock = Lock()
        self._seen: datetime | None = None

    @property
    def address(self) -> str:
        """The address as it may be shown: without a user's name and password."""
        return self._access.address

    def now(self) -> datetime:
        """The exchange's clock, UTC.

        Raises:
            ExchangeError: It cannot be reached, refuses or answers nonsense.
        """
        self._seen = self._ask(self._server_time, None, TIME_WEIGHT)
        return self._seen

    def klines(self, pair: Pair | str, start: datetime, end: datetime, interval: str = INTERVAL) -> pd.DataFrame:
        """Closed candles that open in ``[start, end)``, each once.

        Args:
            pair: Such as ``btc_usdt``.
            start: Earliest open time, with a time zone.
            end: Open times are before it.
            interval: Any interval of Binance.

        Returns:
            A frame in the kline schema, ascending; empty where the exchange has none.

        Raises:
            UnknownPairError: The pair is misspelt or not traded.
            ParameterError: No such interval, or a time without a zone.
            ExchangeError: The exchange cannot be reached, refuses or answers nonsense.
            DataError: What it sends are no candles.
        """
        length_of(interval)
        pair = Pair.parse(pair) if isinstance(pair, str) else pair
        begin, stop = to_ms(start), to_ms(end)
        # Asked before the candles: one that is closed by then was closed when it was sent.
        now = self._seen if self._seen and to_ms(self._seen) >= stop else self.now()
        klines = merge_klines(*self._pages(pair, interval, begin, min(stop, to_ms(now))))
        return klines[klines["close_time"] < now].reset_index(drop=True)

    def five_days(self, pair: Pair | str, interval: str = INTERVAL) -> pd.DataFrame:
        """The closed candles of the last five days; see `klines`."""
        return self._last(pair, 5 * _DAY, interval)

    def one_year(self, pair: Pair | str, interval: str = INTERVAL) -> pd.DataFrame:
        """The closed candles of the last 365 days; see `klines`."""
        return self._last(pair, 365 * _DAY, interval)

    def _last(self, pair: Pair | str, span: timedelta, interval: str) -> pd.DataFrame:
        step = min(length_of(interval), _DAY)
        now = self.now()
        return self.klines(pair, now - (now - _midnight(now)) % step - span, now, interval)

    def _pages(self, pair: Pair, interval: str, start: int, end: int) -> Iterator[pd.DataFrame]:
        while start < end:
            page = self._ask(partial(self._page, pair, interval, start, end), pair, KLINES_WEIGHT)
            if page.empty:
                return
            yield page
            last = page.iloc[-1]
            if len(page) < PAGE and to_ms(last["close_time"]) + 1 >= end:
                return
            # A short page that does not reach the end may be half of one: only an empty one is the end.
            start = to_ms(last["timestamp"]) + 1

    def _page(self, pair: Pair, interval: str, start: int, end: int) -> pd.DataFrame:
        rows = self._api.get_klines(symbol=pair.symbol, interval=interval, startTime=start, endTime=end - 1, limit=PAGE)
        if not isinstance(rows, list):
            raise ExchangeError(self._nonsense("candles", rows))
        page = merge_klines(to_klines(rows, pair.symbol))
        opened = milliseconds(page["timestamp"])
        if len(page) and (opened[0] < start or opened[-1] >= end):
            raise ExchangeError(self._nonsense("the candles asked for", f"others, from {page['timestamp'][0]}"))
        return page

    def _server_time(self) -> datetime:
        answer = self._api.get_server_time()
        if not isinstance(answer, dict) or not isinstance(answer.get("serverTime"), int):
            raise ExchangeError(self._nonsense("its time", answer))
        return from_ms(answer["serverTime"])

    def _nonsense(self, wanted: str, answer: Any) -> str:
        return (
            f"Binance at {self._access.address} does not answer with {wanted} but with {str(answer)[:80]!r};"
            " check `exchange_url`, or run the fetching pipeline again"
        )

    def _ask(self, request: Callable[[], Answer], pair: Pair | None, weight: int) -> Answer:
        from make_us_rich.exchange.failures import CAUGHT, Asked

        def ask_once() -> Answer:
            self._budget.spend(weight)
            with self._lock:  # python-binance keeps each answer in an attribute: one question at a time
                answer = request()
                self._budget.learn(self._api.response.headers.get(USED_HEADER))
                return answer

        asked = Asked(self._access, pair, self._retries.clock)
        return self._retries.ask(ask_once, CAUGHT, asked.diagnose)

    @cached_property
    def _api(self) -> Any:
        from make_us_rich.exchange.session import open_client

        return open_client(self._access)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
