"""Binance's protocol: request parameters, error answers and descriptions of symbols."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from make_us_rich.domain.errors import ExchangeError
from make_us_rich.domain.klines import INTERVALS
from make_us_rich.domain.pair import Pair
from make_us_rich.replay.series import KlinesQuery

_LEGAL_SYMBOL = r"^[\w\-._&&[^a-z]]{1,50}$"
_SYMBOL = r"(?:(?![a-z])[\w\-.]){1,50}"

Query = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; with ``truncate`` only half of the body is sent."""

    status: int
    body: bytes
    content_type: str = "application/json;charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)
    truncate: bool = False

    @classmethod
    def of(cls, content: object, status: int = 200) -> "Answer":
        """An answer in JSON."""
        return cls(status, json.dumps(content, separators=(",", ":")).encode())


class RefusalError(ExchangeError):
    """An error as Binance answers it: its negative code, its words, and the HTTP status."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.binance_code = code
        self.status = status

    def answer(self) -> Answer:
        """The HTTP answer."""
        return Answer.of({"code": self.binance_code, "msg": self.message}, self.status)


def unique(pairs: Sequence[tuple[str, str]], known: Sequence[str]) -> dict[str, str]:
    """The parameters of a request; refuses one that is sent twice or not known."""
    query = dict(pairs)
    if len(query) < len(pairs):
        raise RefusalError(-1101, "Duplicate values for a parameter detected.")
    expected = sum(name in known for name in query)
    if expected < len(query):
        raise RefusalError(-1101, f"Too many parameters; expected '{expected}' and received '{len(query)}'.")
    return query


def klines_query(query: Query) -> KlinesQuery:
    """The parameters of ``klines``; refuses one that is missing, malformed or out of range."""
    for name in ("symbol", "interval"):
        if not query.get(name):
            raise RefusalError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    symbol = _legal(query, "symbol", _SYMBOL, _LEGAL_SYMBOL)
    names = [name for name in ("startTime", "endTime", "limit") if name in query]
    numbers = {name: int(_legal(query, name, "[0-9]{1,20}", "^[0-9]{1,20}$")) for name in names}
    for name in ("startTime", "endTime"):
        if numbers.get(name, 0) >= 100_000_000_000_000:  # Like Binance, microseconds are understood as well.
            numbers[name] //= 1000
    limit = numbers.get("limit", 500)
    if not limit or not re.fullmatch(r"[+-]?0{1,2}(:00)?", query.get("timeZone", "0")):
        name = "timeZone" if limit else "limit"
        raise RefusalError(-1130, f"Data sent for parameter '{name}' is not valid.")
    if query["interval"] not in INTERVALS:
        raise RefusalError(-1120, "Invalid interval.")
    return KlinesQuery(symbol, query["interval"], numbers.get("startTime"), numbers.get("endTime"), min(limit, 1000))


def symbols_query(query: Query) -> tuple[str, ...]:
    """The symbols that ``symbol`` or ``symbols`` name, none where neither is sent; refuses both."""
    if "symbol" in query and "symbols" in query:
        raise RefusalError(-1128, "Combination of optional parameters invalid.")
    if "symbol" in query:
        return (_legal(query, "symbol", _SYMBOL, _LEGAL_SYMBOL),)
    if "symbols" in query:
        names = json.loads(_legal(query, "symbols", rf'\["{_SYMBOL}"(?:,"{_SYMBOL}")*\]', f"[{_LEGAL_SYMBOL}]"))
        return tuple(dict.fromkeys(names))
    return ()


def _legal(query: Query, name: str, legal: str, shown: str) -> str:
    if not re.fullmatch(legal, query[name]):
        raise RefusalError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{shown}'.")
    return query[name]


def symbol_info(symbol: str, price_decimals: int, status: str) -> dict[str, object]:
    """One entry of ``symbols`` in ``exchangeInfo``; nothing can be ordered here, so filters are nominal."""
    pair = Pair.from_symbol(symbol) or Pair(symbol[:-4], symbol[-4:])
    tick, lot = (f"{10**-decimals:.{max(8, decimals)}f}" for decimals in (price_decimals, 5))
    return {
        "symbol": symbol,
        "status": status,
        "baseAsset": pair.base.upper(),
        "baseAssetPrecision": 8,
        "quoteAsset": pair.quote.upper(),
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000000.00000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000000.00000000", "stepSize": lot},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True, "avgPriceMins": 5},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }
