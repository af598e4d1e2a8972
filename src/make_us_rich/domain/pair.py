"""A currency pair and its three spellings."""

import re
from dataclasses import dataclass

from make_us_rich.domain.errors import UnknownPairError

_NAME = re.compile(r"[a-z0-9]{2,12}_[a-z0-9]{2,12}")


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
        """Read ``btc_usdt``.

        Raises:
            UnknownPairError: The name is not ``base_quote`` in lower-case letters and digits.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UnknownPairError(f"{name!r} is not a pair; write base and quote as in 'btc_usdt'")
        base, quote = name.split("_")
        return cls(base, quote)

    @property
    def name(self) -> str:
        """The name in configuration and in the catalog: ``btc_usdt``."""
        return f"{self.base}_{self.quote}"

    @property
    def symbol(self) -> str:
        """The exchange's symbol: ``BTCUSDT``."""
        return f"{self.base}{self.quote}".upper()

    def __str__(self) -> str:
        return self.name
