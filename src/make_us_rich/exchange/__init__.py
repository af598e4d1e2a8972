"""The exchange over HTTP: the real python-binance client with paging, retries and errors in words."""

from make_us_rich.exchange.client import BinanceClient, Retries

__all__ = ["BinanceClient", "Retries"]
