"""The exchange over HTTP: the real python-binance client with paging, retries and errors in words."""

from make_us_rich.exchange.client import BinanceClient
from make_us_rich.exchange.retries import Retries

__all__ = ["BinanceClient", "Retries"]
