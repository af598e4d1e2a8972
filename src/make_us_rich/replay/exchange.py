"""What the replay exchange answers, at which virtual time, and what each request weighs; without any HTTP."""

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.klines import INTERVAL_MS, from_ms, to_ms
from make_us_rich.replay.protocol import Answer, RefusalError, klines_query, symbol_info, symbols_query
from make_us_rich.replay.series import DAY_MS, WEEK_MS, Series, select_candles, without_share
from make_us_rich.replay.simulated import SimulatedMarket

PREFIX = "/api/v3/"
PARAMETERS: dict[str, tuple[str, ...]] = {
    "ping": (),
    "time": (),
    "exchangeInfo": ("symbol", "symbols"),
    "klines": ("symbol", "interval", "startTime", "endTime", "timeZone", "limit"),
    "ticker/price": ("symbol", "symbols"),
}
"""Endpoint to its parameters."""

DEFAULT_WEIGHT_LIMIT = 6000


class Clock:
    """Virtual time, in UTC: starts at any moment and runs at any speed.

    Args:
        start: The virtual time at this moment; with a time zone.
        speed: Virtual seconds per real second: 1 is real time, 3600 an hour a second, 0 is frozen.
        real: Counts real seconds.

    Raises:
        ParameterError: The start has no time zone, or the speed is negative or not finite.
    """

    def __init__(self, start: datetime, speed: float = 1.0, real: Callable[[], float] = time.monotonic) -> None:
        if not math.isfinite(speed) or speed < 0:
            raise ParameterError(f"speed {speed} is out of range; give a number from 0 (frozen) upwards")
        self.speed = speed
        self._real = real
        self.jump(start)

    def jump(self, moment: datetime) -> None:
        """Travel to a moment, forwards or backwards; the speed stays."""
        self._anchor = to_ms(moment), self._real()

    def advance(self, span: timedelta) -> None:
        """Travel by a span, backwards where it is negative."""
        self.jump(self.now() + span)

    def now(self) -> datetime:
        """Virtual time, UTC."""
        return from_ms(self.now_ms())

    def now_ms(self) -> int:
        """Virtual time in milliseconds since 1970 UTC."""
        start, since = self._anchor
        return start + math.floor((self._real() - since) * self.speed * 1000)


class FolderMarket:
    """Replays the kline files of a folder; `make_us_rich.klines.files` says which are read.

    Raises:
        DataError: The folder is missing, has no kline files, or one of them is damaged or not understood.
    """

    def __init__(self, folder: Path | str) -> None:
        from make_us_rich.klines.files import find_files, read_candles

        self._series: dict[str, Series] = {}
        for symbol, paths in sorted(find_files(Path(folder)).items()):
            interval, candles = read_candles(symbol, paths)
            rows = [json.dumps(candle, separators=(",", ":")).encode() for candle in candles]
            self._series[symbol] = Series(INTERVAL_MS[interval], [candle[0] for candle in candles], rows)
        self.symbols = tuple(self._series)
        self.title = f"{', '.join(self.symbols)} from {folder}"
        self.about: Mapping[str, str | int] = {"market": "folder"}

    def series(self, symbol: str, now: int) -> Series | None:  # noqa: ARG002
        """The candles of a symbol, or None where there is no file of it."""
        return self._series.get(symbol)

    def default_now(self) -> datetime:
        """Just after the last candle of the data has closed, UTC."""
        return from_ms(max(series.opens[-1] + series.step for series in self._series.values()))


Market: TypeAlias = FolderMarket | SimulatedMarket


class Exchange:
    """Answers requests about a market at the time of a clock; ``weight_limit`` is the one that ``exchangeInfo`` states.

    Attributes:
        statuses: Symbol to status, such as ``HALT``, instead of the one that its candles give.
    """

    def __init__(self, market: Market, clock: Clock, weight_limit: int) -> None:
        self.market = market
        self.clock = clock
        self.statuses: dict[str, str] = {}
        self.weight_limit = weight_limit
        self._minute = self._used = 0
        self._lock = threading.Lock()

    def weigh(self, endpoint: str, query: Mapping[str, str], minute: int) -> int:
        """Add a request's weight, as Binance counts it; returns the weight of all requests of a minute."""
        weight = {"exchangeInfo": 20, "klines": 2, "ticker/price": 2 if "symbol" in query else 4}.get(endpoint, 1)
        with self._lock:
            self._used = weight + (self._used if minute == self._minute else 0)
            self._minute = minute
            return self._used

    def answer(
        self, endpoint: str, query: Mapping[str, str], *, gaps: float = 0, seed: int = 0, unclosed: bool = True
    ) -> Answer:
        """Answer a request to one of ``PARAMETERS``; ``gaps`` is the share of candles that ``seed`` leaves out."""
        now = self.clock.now_ms()
        if endpoint == "klines":
            asked = klines_query(query)
            series = self._series(asked.symbol, now)
            if INTERVAL_MS.get(asked.interval, DAY_MS) % series.step:
                raise RefusalError(-1120, "Invalid interval.")
            if gaps:
                series = without_share(series, gaps, f"{seed}:{asked.symbol}")
            return Answer(200, b"[" + b",".join(select_candles(series, asked, now, unclosed=unclosed)) + b"]")
        if endpoint == "exchangeInfo":
            return self._exchange_info(query, now)
        if endpoint == "ticker/price":
            return self._ticker_price(query, now)
        return Answer.of({"serverTime": now} if endpoint == "time" else {})

    def _exchange_info(self, query: Mapping[str, str], now: int) -> Answer:
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self.weight_limit}
        symbols = []
        for symbol in symbols_query(query) or self.market.symbols:
            series = self._series(symbol, now)
            closes = (json.loads(row)[4] for row in series.rows[-100:])
            decimals = max((len(close.partition(".")[2].rstrip("0")) for close in closes), default=8)
            if not series.opens or series.opens[0] > now:
                status = "PRE_TRADING"
            else:  # The exchange has ended the trading of a symbol that had no candle for a week.
                status = "TRADING" if series.opens[-1] + WEEK_MS > now else "BREAK"
            symbols.append(symbol_info(symbol, decimals, self.statuses.get(symbol) or status))
        info = {"timezone": "UTC", "serverTime": now, "rateLimits": [limit], "exchangeFilters": [], "symbols": symbols}
        return Answer.of({**info, "replay": {**self.market.about, "speed": self.clock.speed}})

    def _ticker_price(self, query: Mapping[str, str], now: int) -> Answer:
        prices = []
        for symbol in symbols_query(query) or self.market.symbols:
            series = self._series(symbol, now)
            if closed := series.closed(now):
                prices.append({"symbol": symbol, "price": str(json.loads(series.rows[closed - 1])[4])})
        if "symbol" not in query:
            return Answer.of(prices)
        if not prices:
            raise RefusalError(-1121, "Invalid symbol.")
        return Answer.of(prices[0])

    def _series(self, symbol: str, now: int) -> Series:
        series = self.market.series(symbol, now)
        if series is None:
            raise RefusalError(-1121, "Invalid symbol.")
        return series
