"""A simulated market: any symbol of a known quote, with the same candles for the same seed."""

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain, count, islice
from typing import Any

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.klines import HOUR_MS, from_ms, to_ms
from make_us_rich.domain.pair import QUOTES, Pair
from make_us_rich.replay.garch import CHUNK, Floats, State, character, simulate
from make_us_rich.replay.series import Series

_EPOCH_MS = to_ms(datetime(2017, 8, 17, tzinfo=UTC))
_LAST = datetime(2100, 1, 1, tzinfo=UTC)
LISTED: tuple[str, ...] = (
    *("ADAUSDT", "BNBUSDT", "BTCEUR", "BTCUSDT", "CHZUSDT", "DOGEUSDT", "ETHBTC", "ETHUSDT"),
    *("LINKUSDT", "LTCUSDT", "SOLUSDT", "XRPUSDT"),
)
"""Symbols of answers without a symbol list; any other valid one exists as well."""

USD_VALUES: dict[str, float] = {
    "BTC": 60_000.0, "ETH": 3_000.0, "BNB": 550.0, "SOL": 150.0, "LTC": 85.0, "LINK": 14.0, "DOT": 6.5, "XRP": 0.6,
    "ADA": 0.45, "DOGE": 0.12, "CHZ": 0.1, "TRX": 0.12, "SHIB": 0.00002,
    "USDT": 1.0, "USDC": 1.0, "FDUSD": 1.0, "TUSD": 1.0, "BUSD": 1.0, "DAI": 1.0,
    "EUR": 1.08, "GBP": 1.27, "JPY": 0.0066, "TRY": 0.03, "BRL": 0.19,
}  # fmt: skip
"""Plausible worth in US dollars, for the scale of simulated prices only."""


class SimulatedMarket:
    """Hourly candles that nobody traded, from 2017-08-17 to 2100, with the statistics of real ones.

    A symbol exists when it is a base of 1 to 10 letters (capitals, or of a script without them) and digits, one letter
    at least, followed by another currency with a USD value among `make_us_rich.domain.pair.QUOTES`. Names that
    start with ``NOPE`` never exist.

    Another seed gives another history to every symbol.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.title = f"a SIMULATED market (seed {seed})"
        self.about: Mapping[str, str | int] = {"market": "simulated", "seed": seed}
        self.symbols = LISTED
        self._histories: dict[str, _History] = {}
        self._lock = threading.Lock()

    def series(self, symbol: str, now: int) -> Series | None:
        """The candles of a symbol at least until ``now``, or None where it does not exist.

        Raises:
            ParameterError: ``now`` is past the end of the simulation.
        """
        if now >= to_ms(_LAST):
            message = f"{from_ms(now)} is past the simulated market's end ({_LAST:%Y})"
            raise ParameterError(message, "give an earlier time")
        with self._lock:
            if symbol not in self._histories:
                if (pair := _find(symbol)) is None:
                    return None
                self._histories[symbol] = _History(symbol, pair, self.seed)
            return self._histories[symbol].until(now)

    def default_now(self) -> datetime:
        """The real time, UTC."""
        return datetime.now(UTC)


def _find(symbol: str) -> Pair | None:
    pair = Pair.from_symbol(symbol)
    if pair is None or pair.quote.upper() not in USD_VALUES or pair.base == pair.quote or symbol != symbol.upper():
        return None
    legal = pair.base.isalnum() and any(map(str.isalpha, pair.base)) and len(pair.base) <= 10
    return pair if legal and not symbol.startswith("NOPE") else None


class _History(Sequence[bytes]):
    """One symbol's candles as JSON arrays: simulated in chunks from the beginning, printed when they are first read."""

    def __init__(self, symbol: str, pair: Pair, seed: int) -> None:
        base, quote_value = pair.base.upper(), USD_VALUES[pair.quote.upper()]
        # An unknown base is worth anything from one cent to a hundred dollars, by its name.
        draw = int.from_bytes(sha256(base.encode()).digest()[:8], "big") / 2**64
        scale = USD_VALUES.get(base, 10 ** (4 * draw - 2)) / quote_value
        self._character = character(symbol, seed, scale, quote_value)
        self._state = State(0.0, 1.0, round(scale, self._character.decimals))
        self._series = Series(HOUR_MS, range(0), self)
        self._chunks: list[Floats] = []
        self._printed: dict[int, list[bytes]] = {}

    def until(self, now: int) -> Series:
        while len(self) <= (now - _EPOCH_MS) // HOUR_MS:
            first = _EPOCH_MS + len(self) * HOUR_MS
            self._state, candles = simulate(self._character, len(self._chunks), self._state, first)
            self._chunks.append(candles)
            self._series = Series(HOUR_MS, range(_EPOCH_MS, first + CHUNK * HOUR_MS, HOUR_MS), self)
        return self._series

    def __len__(self) -> int:
        return CHUNK * len(self._chunks)

    def __getitem__(self, at: Any) -> Any:
        places = range(len(self))[at]
        return self._row(places) if isinstance(places, int) else [self._row(place) for place in places]

    def _row(self, place: int) -> bytes:
        number, offset = divmod(place, CHUNK)
        if number not in self._printed:
            price = f'"%.{max(8, self._character.decimals)}f",'
            template = f'[%d,{price * 4}"%.8f",%d,"%.8f",%d,"%.8f","%.8f","0"]'
            opens = count(_EPOCH_MS + number * CHUNK * HOUR_MS, HOUR_MS)
            self._printed[number] = [
                (template % (opened, *candle[:5], opened + HOUR_MS - 1, *candle[5:])).encode()
                for opened, candle in zip(opens, self._chunks[number].tolist(), strict=False)
            ]
        return self._printed[number][offset]


def pair_names(wanted: int) -> list[str]:
    """Names of ``wanted`` pairs of the simulated market, always the same: known currencies, then invented ones."""
    configured = ("btc_usdt", "eth_usdt", "chz_usdt")
    bases = [name for name, value in USD_VALUES.items() if value != 1.0]
    quotes = ("USDT", *(name for name in QUOTES if name != "USDT" and name in USD_VALUES))
    known = (f"{base}_{quote}".lower() for quote in quotes for base in bases if base != quote)
    invented = (f"sim{number}_usdt" for number in count(1))
    others = (name for name in chain(known, invented) if name not in configured)
    return list(islice(chain(configured, others), wanted))
