"""A currency pair and its spellings."""

import unicodedata
from dataclasses import dataclass

from make_us_rich.domain.errors import UnknownPairError

QUOTES: tuple[str, ...] = (
    *("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "DAI"),
    *("BTC", "ETH", "BNB", "EUR", "GBP", "JPY", "TRY", "BRL", "USD"),
)
"""Currencies that symbols end in; longer names first, so that ``BTCFDUSD`` is priced in FDUSD."""


@dataclass(frozen=True, order=True)
class Pair:
    """A base currency priced in a quote currency.

    Attributes:
        base: The currency bought and sold, lower case, such as ``btc``.
        quote: The currency it is priced in, lower case, such as ``usdt``.
    """

    base: str
    quote: str

    @classmethod
    def parse(cls, name: str) -> "Pair":
        """Read ``btc_usdt``; currencies of one letter and of any script are fine, such as ``币安人生_usdt``.

        Raises:
            UnknownPairError: The name is not ``base_quote`` in letters (lower case), digits and hyphens.
        """
        parts = name.split("_") if isinstance(name, str) and len(name) <= 50 else []
        if len(parts) != 2 or not all(map(_is_currency, parts)):
            raise UnknownPairError(f"{name!r} is not a pair", "write base and quote as in 'btc_usdt'")
        return cls(*parts)

    @classmethod
    def from_symbol(cls, symbol: str) -> "Pair | None":
        """The pair of an exchange symbol such as ``BTCUSDT``, or None where it ends in no known quote currency."""
        for quote in QUOTES:
            if symbol.endswith(quote) and len(symbol) > len(quote):
                return cls(symbol.removesuffix(quote).lower(), quote.lower())
        return None

    @property
    def name(self) -> str:
        """The name in configuration, in the catalog and in names of files: ``btc_usdt``."""
        return f"{self.base}_{self.quote}"

    @property
    def symbol(self) -> str:
        """The exchange's symbol: ``BTCUSDT``."""
        return f"{self.base}{self.quote}".upper()

    def __str__(self) -> str:
        return self.name


def _is_currency(text: str) -> bool:
    """Letters, marks and digits of any script and inner hyphens, whose capitals lead back to the same text."""
    legal = all(unicodedata.category(sign)[0] in "LMN" or sign == "-" for sign in text)
    return legal and text.strip("-") == text != "" and text.upper().lower() == text
