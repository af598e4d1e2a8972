"""Candles, time and status of pairs from Binance, or from anything that speaks its protocol."""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pandas as pd

from make_us_rich.domain.errors import ExchangeError, ParameterError
from make_us_rich.domain.klines import INTERVAL, INTERVAL_MS, INTERVALS, from_ms, to_ms
from make_us_rich.domain.pair import Pair
from make_us_rich.exchange.budget import Budget
from make_us_rich.klines.frame import merge_klines, to_klines

PAGE = 1000
"""Candles that Binance gives in one answer."""

TIME_WEIGHT, KLINES_WEIGHT, INFO_WEIGHT = 1, 2, 20

CONNECT_SECONDS = 3.0
"""Seconds that a connection may take; an address that has not answered by then will not."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Retries:
    """How often a failed request is sent again: after half a second, then after twice as long each time.

    Attributes:
        max_attempts: Requests in all, the first one included.
        max_wait: Seconds that the exchange may ask to wait; if more, the client gives up at once.
    """

    max_attempts: int = 4
    max_wait: float = 60.0


class BinanceClient:
    """The python-binance client with paging, retries and errors with remedies. May be shared by threads.

    python-binance is imported by the first request. Requests raise `ExchangeError` where the exchange cannot be
    reached, refuses, or sends an invalid response, and `UnknownPairError` where a pair is misspelt or not listed.

    Example:
        >>> client = BinanceClient("https://data-api.binance.vision")
        >>> candles = client.five_days("btc_usdt")  # doctest: +SKIP

    Args:
        url: Such as ``https://api.binance.com``.
        key: API key, not needed for candles.
        secret: API secret, not needed for candles.
        timeout: Seconds to wait for a response.
        retries: How often failed requests are sent again.
        budget: Request weight that this machine may use in a minute; Binance's own limit by default.

    Attributes:
        url: Address without ``/api``.
        address: The address for messages: without user name and password.
        is_local: The exchange runs on this machine.
        simulated: The market is simulated; known after the first response.
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
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        self.address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        host = parts.hostname or ""
        self.is_local = host in ("localhost", "::1", "::") or host.startswith(("127.", "0."))
        self.timeout = timeout
        self.simulated = False
        # A function: printing the attributes shows neither.
        self._credentials: Callable[[], tuple[str | None, ...]] = lambda: (key, secret)
        self._retries = retries or Retries()
        self._budget = budget or Budget(self.url)
        self._lock = Lock()
        self._seen: datetime | None = None

    def now(self) -> datetime:
        """The exchange's clock, UTC."""
        self._seen = self._ask(self._server_time, None, TIME_WEIGHT)
        return self._seen

    def status(self, pair: Pair | str) -> str:
        """The pair's status, such as ``TRADING``, ``HALT`` or, where it is delisted, ``BREAK``."""
        pair = Pair.parse(pair) if isinstance(pair, str) else pair
        return self._ask(partial(self._status, pair), pair, INFO_WEIGHT)

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
            ParameterError: No such interval, or a time without a zone.
            DataError: The answer does not hold candles.
        """
        if interval not in INTERVALS:
            raise ParameterError(f"{interval!r} is not an interval of Binance", f"choose one of {', '.join(INTERVALS)}")
        pair = Pair.parse(pair) if isinstance(pair, str) else pair
        begin, stop = to_ms(start), to_ms(end)
        # Asked before the candles: one that is closed by then was closed when it was sent.
        now = self._seen if self._seen and to_ms(self._seen) >= stop else self.now()
        klines = merge_klines(*self._pages(pair, interval, begin, min(stop, to_ms(now))))
        return klines[klines["close_time"] < now].reset_index(drop=True)

    def five_days(self, pair: Pair | str, interval: str = INTERVAL) -> pd.DataFrame:
        """The closed candles of the last five days; see `klines`."""
        return self._last(pair, timedelta(days=5), interval)

    def one_year(self, pair: Pair | str, interval: str = INTERVAL) -> pd.DataFrame:
        """The closed candles of the last 365 days; see `klines`."""
        return self._last(pair, timedelta(days=365), interval)

    def _last(self, pair: Pair | str, span: timedelta, interval: str) -> pd.DataFrame:
        now, day = self.now(), INTERVAL_MS["1d"]
        step = min(INTERVAL_MS.get(interval, day), day)
        return self.klines(pair, from_ms(to_ms(now) // step * step) - span, now, interval)

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
            raise self._nonsense("candles", rows)
        page = merge_klines(to_klines(rows, pair.symbol))
        if not page["timestamp"].between(from_ms(start), from_ms(end), inclusive="left").all():
            raise self._nonsense("the candles asked for", f"others, from {page['timestamp'][0]}")
        return page

    def _server_time(self) -> datetime:
        match answer := self._api.get_server_time():
            case {"serverTime": int(moment)}:
                return from_ms(moment)
        raise self._nonsense("its time", answer)

    def _status(self, pair: Pair) -> str:
        # python-binance's own method asks for all symbols, which are megabytes.
        match answer := self._api._get("exchangeInfo", data={"symbol": pair.symbol}, version="v3"):
            case {"symbols": [{"status": str(status)}, *_]}:
                return status
        raise self._nonsense("the pair's status", answer)

    def _nonsense(self, wanted: str, answer: Any) -> ExchangeError:
        message = f"Binance at {self.address} does not answer with {wanted} but with {str(answer)[:80]!r}"
        return ExchangeError(message, "check `exchange_url`, or run the fetching pipeline again")

    def _ask(self, request: Callable[[], Answer], pair: Pair | None, weight: int) -> Answer:
        """The response to a request, sent again as long as its failures allow."""
        from make_us_rich.exchange.failures import CAUGHT, diagnose, rate_limited

        attempt = 0
        while True:
            attempt += 1
            if refusal := self._budget.refusal(self._retries.max_wait):
                raise rate_limited(self, *refusal, self._budget.now())
            self._budget.spend(weight)
            try:
                with self._lock:  # python-binance keeps each response in an attribute: one request at a time
                    answer = request()
                    headers = self._api.response.headers
                    self.simulated = headers.get("x-replay-market") == "simulated"  # A replay exchange's alone.
                    self._budget.learn(headers.get("x-mbx-used-weight-1m"))
                    return answer
            except CAUGHT as exc:
                failure = diagnose(exc, self, pair, self._budget.now())
                if failure.refused:
                    self._budget.refuse(*failure.refused)
                if attempt >= min(self._retries.max_attempts, failure.max_attempts):
                    raise failure.error from exc
            if not failure.refused:
                self._budget.sleep(2 ** (attempt - 2))

    @cached_property
    def _api(self) -> Any:
        with warnings.catch_warnings():  # Its web sockets come from a place that websockets has deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            from binance.client import Client

        params = {"timeout": (min(CONNECT_SECONDS, self.timeout), self.timeout)}
        # The constructor makes an event loop for web sockets and leaves it in the calling thread, open;
        # a thread of its own keeps it away from a caller that has one.
        with ThreadPoolExecutor(max_workers=1) as thread:
            client = thread.submit(Client, *self._credentials(), requests_params=params, ping=False).result()
        client.loop.close()
        client.API_URL = f"{self.url}/api"
        client.session.trust_env = not self.is_local  # A proxy cannot reach this machine.
        return client
