"""A simulated market: any symbol of a known quote, the same for everyone who asks with the same seed."""

import re
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, overload

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.klines import HOUR_MS
from make_us_rich.domain.times import from_ms, to_ms
from make_us_rich.replay.assets import USD_VALUES, split_symbol
from make_us_rich.replay.series import Series

if TYPE_CHECKING:
    from make_us_rich.replay.simulation import Character, Floats

EPOCH = datetime(2017, 8, 17, tzinfo=UTC)
LAST = datetime(2100, 1, 1, tzinfo=UTC)
LISTED: tuple[str, ...] = (
    *("ADAUSDT", "BNBUSDT", "BTCEUR", "BTCUSDT", "CHZUSDT", "DOGEUSDT", "ETHBTC", "ETHUSDT"),
    *("LINKUSDT", "LTCUSDT", "SOLUSDT", "XRPUSDT"),
)
"""Symbols that answers without a symbol list; any other valid one exists as well."""

_BASE = re.compile(r"(?!NOPE)(?=.*[A-Z])[A-Z0-9]{2,10}")
_EPOCH_MS = to_ms(EPOCH)


class SimulatedMarket:
    """Hourly candles that nobody traded, from 2017-08-17 to 2100, with the habits of real ones.

    A symbol exists when it is a base of 2 to 10 capital letters and digits, one letter at least, followed by
    another currency of ``assets.QUOTES``. Names that start with ``NOPE`` never exist.

    Args:
        seed: Another seed gives another history to every symbol.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._histories: dict[str, _History] = {}
        self._lock = threading.Lock()

    @property
    def title(self) -> str:
        """What is replayed, in words."""
        return f"a SIMULATED market (seed {self.seed})"

    def about(self) -> dict[str, str | int]:
        """What ``exchangeInfo`` says of this market."""
        return {"market": "simulated", "seed": self.seed}

    def symbols(self) -> tuple[str, ...]:
        """The symbols that are listed; more exist."""
        return LISTED

    def series(self, symbol: str, now: int) -> Series | None:
        """The candles of a symbol at least until ``now``, or None where it does not exist.

        Raises:
            ParameterError: ``now`` is past the end of the simulation.
        """
        if now >= to_ms(LAST):
            raise ParameterError(f"{from_ms(now)} is past the simulated market's end ({LAST:%Y}); give an earlier time")
        with self._lock:
            history = self._history(symbol)
            return history.until(now) if history else None

    def price_decimals(self, symbol: str) -> int:
        """Digits after the point of a symbol's prices."""
        with self._lock:
            history = self._history(symbol)
        return history.character.decimals if history else 0

    def default_now(self) -> datetime:
        """The real time, UTC."""
        return datetime.now(UTC)

    def _history(self, symbol: str) -> "_History | None":
        if symbol not in self._histories and (parts := split_symbol(symbol)) and _exists(*parts):
            self._histories[symbol] = _History(symbol, self.seed)
        return self._histories.get(symbol)


def _exists(base: str, quote: str) -> bool:
    return _BASE.fullmatch(base) is not None and base != quote


class _History:
    """One symbol's candles, generated chunk by chunk from the beginning and kept."""

    def __init__(self, symbol: str, seed: int) -> None:
        from make_us_rich.replay.simulation import beginning

        self.character = _character(symbol, seed)
        self._state = beginning(self.character)
        self._rows = _Rows(self.character)
        self._series = Series(HOUR_MS, range(0), self._rows)

    def until(self, now: int) -> Series:
        from make_us_rich.replay.simulation import chunk

        hours = (now - _EPOCH_MS) // HOUR_MS + 1
        while len(self._rows) < hours:
            first = _EPOCH_MS + len(self._rows) * HOUR_MS
            self._state, candles = chunk(self.character, len(self._rows.chunks), self._state, first)
            self._rows.chunks.append(candles)
        return self._current()

    def _current(self) -> Series:
        if len(self._series.opens) != len(self._rows):
            opens = range(_EPOCH_MS, _EPOCH_MS + len(self._rows) * HOUR_MS, HOUR_MS)
            self._series = Series(HOUR_MS, opens, self._rows, self._series.merged)
        return self._series


class _Rows:
    """Candles as JSON arrays, printed a chunk at a time when first asked for."""

    def __init__(self, of: "Character") -> None:
        price = f'"%.{max(8, of.decimals)}f",'
        self._template = f'[%d,{price * 4}"%.8f",%d,"%.8f",%d,"%.8f","%.8f","0"]'
        self._printed: dict[int, list[bytes]] = {}
        self.chunks: list[Floats] = []

    def __len__(self) -> int:
        return sum(map(len, self.chunks))

    @overload
    def __getitem__(self, at: int, /) -> bytes: ...
    @overload
    def __getitem__(self, at: slice, /) -> Sequence[bytes]: ...
    def __getitem__(self, at: int | slice, /) -> bytes | Sequence[bytes]:
        if isinstance(at, int):
            number, offset = divmod(range(len(self))[at], len(self.chunks[0]))
            return self._chunk(number)[offset]
        first, last, _ = at.indices(len(self))
        return self._between(first, last) if first < last else []

    def _between(self, first: int, last: int) -> list[bytes]:
        size = len(self.chunks[0])
        numbers = range(first // size, (last - 1) // size + 1)
        rows = [row for number in numbers for row in self._chunk(number)]
        return rows[first - numbers[0] * size : last - numbers[0] * size]

    def _chunk(self, number: int) -> list[bytes]:
        if number not in self._printed:
            self._printed[number] = self._print(number)
        return self._printed[number]

    def _print(self, number: int) -> list[bytes]:
        candles = self.chunks[number].tolist()
        opened = _EPOCH_MS + number * len(candles) * HOUR_MS
        return [
            (self._template % (at, *candle[:5], at + HOUR_MS - 1, *candle[5:])).encode()
            for at, candle in zip(range(opened, opened + len(candles) * HOUR_MS, HOUR_MS), candles, strict=True)
        ]


def _character(symbol: str, seed: int) -> "Character":
    from make_us_rich.replay.simulation import character

    base, quote = split_symbol(symbol) or (symbol, "")
    return character(symbol, seed, _usd_value(base) / USD_VALUES[quote], USD_VALUES[quote])


def _usd_value(base: str) -> float:
    """The worth of a base in USD: known, or anything from one cent to a hundred dollars by its name."""
    draw = int.from_bytes(sha256(base.encode()).digest()[:8], "big") / 2**64
    return USD_VALUES.get(base, 10 ** (4 * draw - 2))
