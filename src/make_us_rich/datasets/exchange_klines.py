"""The exchange as a dataset: loading gives a client, which sends requests only when it is used."""

from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from make_us_rich.exchange import BinanceClient
from make_us_rich.exchange.budget import BINANCE_WEIGHT, Budget


class ExchangeKlinesDataset(AbstractDataset[NoReturn, BinanceClient]):
    """Klines from Binance, or from anything that speaks its protocol. It can only be loaded.

    As with Kedro's partitioned datasets, loading fetches nothing yet: the node decides what to request.

    Examples:
        ```yaml
        "{pair}.exchange_klines":
          type: make_us_rich.datasets.exchange_klines.ExchangeKlinesDataset
          url: https://api.binance.com
          credentials: exchange   # optional: {key: ..., secret: ...}; public candles need none
        ```

    Args:
        url: The exchange's address without ``/api``.
        weight: Request weight that all of this machine's processes together may use in a minute.
        credentials: ``key`` and ``secret``, both optional; DatasetError for anything else.
        metadata: Ignored; for plugins.
    """

    def __init__(
        self,
        *,
        url: str,
        weight: int = BINANCE_WEIGHT,
        credentials: dict[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        known = credentials or {}
        if known.keys() - {"key", "secret"}:
            raise DatasetError("the exchange's credentials may hold `key` and `secret`, nothing else")
        self._client = BinanceClient(url, known.get("key"), known.get("secret"), budget=Budget(url, weight))
        self.metadata = metadata

    def load(self) -> BinanceClient:
        """The client; it has sent no request yet."""
        return self._client

    def save(self, data: NoReturn) -> None:  # noqa: ARG002
        """Refuse: candles come from the exchange and never go there."""
        raise DatasetError("candles cannot be saved to the exchange; save them as `{pair}.raw_klines`")

    def _describe(self) -> dict[str, Any]:
        return {"url": self._client.address}
