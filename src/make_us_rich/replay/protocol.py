"""Binance's request parameters and error answers."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from make_us_rich.domain.errors import ExchangeError
from make_us_rich.domain.times import in_ms
from make_us_rich.replay.intervals import INTERVALS
from make_us_rich.replay.view import Window

_SYMBOL = "^[A-Z0-9-_.]{1,20}$"
_SYMBOLS = r'^\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\]$'
_DIGITS = "^[0-9]{1,20}$"
_LONGEST = 2**63 - 1
_UTC = re.compile(r"[+-]?0{1,2}(:00)?")
DEFAULT_LIMIT, LARGEST_LIMIT = 500, 1000

Query = Mapping[str, str]


class RefusalError(ExchangeError):
    """An error as Binance answers it.

    Attributes:
        status: The HTTP status.
        code: Binance's error code, negative.
        message: Binance's words.
    """

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self) -> bytes:
        """The JSON of the answer."""
        return json.dumps({"code": self.code, "msg": self.message}, separators=(",", ":")).encode()


@dataclass(frozen=True)
class KlinesQuery:
    """A checked request for klines."""

    symbol: str
    interval: str
    window: Window


def invalid_symbol() -> RefusalError:
    """The symbol is well-formed, and there is none of this name."""
    return RefusalError(-1121, "Invalid symbol.")


def unique(pairs: Sequence[tuple[str, str]], known: Sequence[str]) -> dict[str, str]:
    """The parameters of a request, each once and each known.

    Raises:
        RefusalError: -1101 for a parameter sent twice or not known.
    """
    query = dict(pairs)
    if len(query) < len(pairs):
        raise RefusalError(-1101, "Duplicate values for a parameter detected.")
    expected = sum(name in known for name in query)
    if expected < len(query):
        raise RefusalError(-1101, f"Too many parameters; expected '{expected}' and received '{len(query)}'.")
    return query


def klines_query(query: Query) -> KlinesQuery:
    """Check the parameters of ``klines``.

    Raises:
        RefusalError: A parameter is missing, malformed or out of range.
    """
    symbol = _matching("symbol", _mandatory(query, "symbol"), _SYMBOL)
    interval = _mandatory(query, "interval")
    start, end = _time(query, "startTime"), _time(query, "endTime")
    limit = min(_number(query, "limit", DEFAULT_LIMIT), LARGEST_LIMIT)
    if limit == 0:
        raise _not_valid("limit")
    if not _UTC.fullmatch(_optional(query, "timeZone") or "0"):
        raise _not_valid("timeZone")
    if interval not in INTERVALS:
        raise invalid_interval()
    return KlinesQuery(symbol, interval, Window(start, end, limit))


def invalid_interval() -> RefusalError:
    """The interval is unknown, or finer than the data."""
    return RefusalError(-1120, "Invalid interval.")


def symbols_query(query: Query) -> tuple[str, ...] | None:
    """The symbols that ``symbol`` or ``symbols`` name, None where neither is sent.

    Raises:
        RefusalError: Malformed, both sent, or one named twice.
    """
    symbol, symbols = _optional(query, "symbol"), _optional(query, "symbols")
    if symbol is not None and symbols is not None:
        raise RefusalError(-1128, "Combination of optional parameters invalid.")
    if symbol is not None:
        return (_matching("symbol", symbol, _SYMBOL),)
    return None if symbols is None else _distinct(json.loads(_matching("symbols", symbols, _SYMBOLS)))


def _distinct(names: list[str]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise RefusalError(-1151, "Symbol is present multiple times in the list.")
    if not names:
        raise _not_valid("symbols")
    return tuple(names)


def _mandatory(query: Query, name: str) -> str:
    if not query.get(name):
        raise RefusalError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return query[name]


def _optional(query: Query, name: str) -> str | None:
    if query.get(name) == "":
        raise RefusalError(-1105, f"Parameter '{name}' was empty.")
    return query.get(name)


def _matching(name: str, value: str, legal: str) -> str:
    if not re.fullmatch(legal, value, re.ASCII):
        raise RefusalError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")
    return value


def _number(query: Query, name: str, default: int) -> int:
    value = _optional(query, name)
    number = default if value is None else int(_matching(name, value, _DIGITS))
    if number > _LONGEST:
        raise RefusalError(-1108, f"Parameter '{name}' overflowed.")
    return number


def _time(query: Query, name: str) -> int | None:
    """Milliseconds; like Binance, microseconds are understood as well."""
    if name not in query:
        return None
    moment = _number(query, name, 0)
    return in_ms(moment)


def _not_valid(name: str) -> RefusalError:
    return RefusalError(-1130, f"Data sent for parameter '{name}' is not valid.")
