"""The five questions that the replay exchange answers, without any HTTP."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from make_us_rich.replay.answer import Answer
from make_us_rich.replay.clock import Clock
from make_us_rich.replay.exchange_info import rate_limits, symbol_info
from make_us_rich.replay.faults import Plan
from make_us_rich.replay.intervals import FIXED, builds
from make_us_rich.replay.protocol import invalid_interval, invalid_symbol, klines_query, symbols_query
from make_us_rich.replay.series import Series, without_share
from make_us_rich.replay.view import Moment, candles, last_close_index

PREFIX = "/api/v3/"
PARAMETERS: dict[str, tuple[str, ...]] = {
    "ping": (),
    "time": (),
    "exchangeInfo": ("symbol", "symbols"),
    "klines": ("symbol", "interval", "startTime", "endTime", "timeZone", "limit"),
    "ticker/price": ("symbol", "symbols"),
}
"""Question to the parameters that it takes."""
SPARED = ("ping", "time")
"""Questions that faults leave alone unless told otherwise."""
_WEIGHTS = {"ping": 1, "time": 1, "exchangeInfo": 20, "klines": 2, "ticker/price": 4}


class Market(Protocol):
    """What can be replayed: ``FolderMarket`` or ``SimulatedMarket``."""

    @property
    def title(self) -> str:
        """What is replayed, in words."""

    def about(self) -> dict[str, str] | dict[str, str | int]:
        """What ``exchangeInfo`` says of this market."""

    def symbols(self) -> tuple[str, ...]:
        """The symbols that are listed."""

    def series(self, symbol: str, now: int) -> Series | None:
        """The candles of a symbol at least until ``now`` (ms UTC), or None where it does not exist."""

    def price_decimals(self, symbol: str) -> int:
        """Digits after the point of a symbol's prices."""

    def default_now(self) -> datetime:
        """The virtual time to start at unless told otherwise, UTC."""


def weight(question: str, query: dict[str, str]) -> int:
    """The request weight that Binance counts."""
    return 2 if question == "ticker/price" and "symbol" in query else _WEIGHTS.get(question, 1)


class Exchange:
    """Answers questions about a market as of a clock.

    Args:
        market: What is replayed.
        clock: What time it is.
        weight_limit: The limit that ``exchangeInfo`` tells, weight per minute.
    """

    def __init__(self, market: Market, clock: Clock, weight_limit: int) -> None:
        self.market = market
        self.clock = clock
        self._weight_limit = weight_limit
        self._thinned: dict[tuple[str, float, int], tuple[Series, Series]] = {}
        self._questions: dict[str, Callable[[dict[str, str], Plan], Answer]] = {
            "ping": self._ping,
            "time": self._time,
            "exchangeInfo": self._exchange_info,
            "klines": self._klines,
            "ticker/price": self._ticker_price,
        }

    def answer(self, question: str, query: dict[str, str], plan: Plan) -> Answer:
        """Answer one of ``PARAMETERS``.

        Raises:
            RefusalError: The query is wrong.
        """
        return self._questions[question](query, plan)

    def _ping(self, _query: dict[str, str], _plan: Plan) -> Answer:
        return Answer.of({})

    def _time(self, _query: dict[str, str], _plan: Plan) -> Answer:
        return Answer.of({"serverTime": self.clock.now_ms()})

    def _exchange_info(self, query: dict[str, str], _plan: Plan) -> Answer:
        now = self.clock.now_ms()
        names = self._named(query, now)
        return Answer.of(
            {
                "timezone": "UTC",
                "serverTime": now,
                "rateLimits": rate_limits(self._weight_limit),
                "exchangeFilters": [],
                "symbols": [symbol_info(name, self.market.price_decimals(name)) for name in names],
                "replay": {**self.market.about(), "speed": self.clock.speed},
            }
        )

    def _klines(self, query: dict[str, str], plan: Plan) -> Answer:
        asked = klines_query(query)
        now = self.clock.now_ms()
        series = self._series(asked.symbol, now)
        if FIXED.get(asked.interval) != series.step and not builds(series.step, asked.interval):
            raise invalid_interval()
        if plan.gaps:
            series = self._with_gaps(asked.symbol, series, plan)
        rows = candles(series, asked.interval, asked.window, Moment(now, plan.unclosed))
        return Answer(200, b"[" + b",".join(rows) + b"]")

    def _ticker_price(self, query: dict[str, str], _plan: Plan) -> Answer:
        now = self.clock.now_ms()
        names = self._named(query, now)
        prices = [{"symbol": name, "price": price} for name in names if (price := self._price(name, now))]
        if "symbol" not in query:
            return Answer.of(prices)
        if not prices:
            raise invalid_symbol()
        return Answer.of(prices[0])

    def _named(self, query: dict[str, str], now: int) -> tuple[str, ...]:
        names = symbols_query(query)
        for name in names or ():
            self._series(name, now)
        return self.market.symbols() if names is None else names

    def _series(self, symbol: str, now: int) -> Series:
        series = self.market.series(symbol, now)
        if series is None:
            raise invalid_symbol()
        return series

    def _price(self, symbol: str, now: int) -> str | None:
        series = self._series(symbol, now)
        last = last_close_index(series, now)
        return None if last is None else str(json.loads(series.rows[last])[4])

    def _with_gaps(self, symbol: str, series: Series, plan: Plan) -> Series:
        key = symbol, plan.gaps, plan.seed
        whole, thinned = self._thinned.get(key, (None, None))
        if thinned is None or whole is not series:
            thinned = without_share(series, plan.gaps, f"{plan.seed}:{symbol}")
            self._thinned[key] = series, thinned
        return thinned
