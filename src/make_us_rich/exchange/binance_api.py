"""The parts of python-binance that are used; imported when the exchange is first asked, for it takes long."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec


@contextmanager
def _without_its_own_imports(package: str) -> Iterator[None]:
    """Let modules of a package be imported, and not what the package imports for itself.

    Afterwards it is as if the package had not been imported, so that whoever does import it gets it whole.
    """
    spec = find_spec(package)
    if spec is None or package in sys.modules:
        yield
        return
    sys.modules[package] = module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[package]


# python-binance imports its asynchronous client and its web sockets, and with them aiohttp: half of the time and 10 MB,
# for what is never used here. What its client does import of the web sockets comes from a deprecated place.
with _without_its_own_imports("binance"), warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance.client import Client
    from binance.exceptions import BinanceAPIException, BinanceRequestException

__all__ = ["BinanceAPIException", "BinanceRequestException", "Client"]
