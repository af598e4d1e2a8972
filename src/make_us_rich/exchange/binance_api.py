"""The parts of python-binance that are used; imported when the exchange is first asked, for it takes long."""

import warnings

with warnings.catch_warnings():
    # python-binance takes its web sockets, which we never open, from a deprecated place.
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance.client import Client
    from binance.exceptions import BinanceAPIException, BinanceRequestException

__all__ = ["BinanceAPIException", "BinanceRequestException", "Client"]
