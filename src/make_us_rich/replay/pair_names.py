"""As many pairs as are wanted of the simulated market: ``python -m make_us_rich.replay.pair_names 40``."""

import sys
from collections.abc import Iterator
from itertools import chain, count, islice

from make_us_rich.replay.assets import QUOTES, USD_VALUES

FIRST = ("btc_usdt", "eth_usdt", "chz_usdt")
"""Those that the project is configured for."""

STABLE = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "DAI")


def pair_names(wanted: int) -> list[str]:
    """Names such as ``btc_usdt``, the same ones for everybody: the known currencies first, then invented ones."""
    others = (name for name in _all() if name not in FIRST)
    return list(islice(chain(FIRST, others), wanted))


def _all() -> Iterator[str]:
    bases = [name for name in USD_VALUES if name not in STABLE]
    quotes = ("USDT", *(name for name in QUOTES if name != "USDT"))
    for quote in quotes:
        yield from (f"{base}_{quote}".lower() for base in bases if base != quote)
    yield from (f"sim{number}_usdt" for number in count(1))


if __name__ == "__main__":
    sys.stdout.write("pairs:\n" + "".join(f"  - {name}\n" for name in pair_names(int(sys.argv[1]))))
