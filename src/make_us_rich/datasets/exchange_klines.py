"""The exchange's candles as a dataset: loading gives a source that asks only when it is asked."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from make_us_rich.domain.klines import INTERVAL
from make_us_rich.domain.pair import Pair
from make_us_rich.exchange import BinanceClient
from make_us_rich.exchange.budget import BINANCE_WEIGHT, Budget

_CREDENTIALS = frozenset({"key", "secret"})


@dataclass(frozen=True)
class ExchangeSource:
    """One pair's candles at one exchange.

    Attributes:
        client: Asks the exchange.
        pair: Whose candles.
        interval: Their length.
    """

    client: BinanceClient
    pair: Pair
    interval: str = INTERVAL

    def now(self) -> datetime:
        """The exchange's clock, UTC; one request."""
        return self.client.now()

    def between(self, start: datetime, end: datetime) -> pd.DataFrame:
        """Closed candles that open in ``[start, end)``, each once; one request for each 1,000."""
        return self.client.klines(self.pair, start, end, self.interval)


class ExchangeKlinesDataset(AbstractDataset[NoReturn, ExchangeSource]):
    """Klines from Binance, or from anything that speaks its protocol. It can only be loaded.

    As with Kedro's partitioned datasets, what is loaded has not asked anything yet: the node decides what to
    ask for.

    Examples:
        ```yaml
        "{pair}.exchange_klines":
          type: make_us_rich.datasets.exchange_klines.ExchangeKlinesDataset
          url: https://api.binance.com
          pair: "{pair}"
          credentials: exchange   # optional: {key: ..., secret: ...}; public candles need none
        ```

        >>> from make_us_rich.datasets.exchange_klines import ExchangeKlinesDataset
        >>> dataset = ExchangeKlinesDataset(url="https://data-api.binance.vision", pair="btc_usdt")
        >>> source = dataset.load()
        >>> source.between(start, end)  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        url: str,
        pair: str,
        interval: str = INTERVAL,
        weight: int = BINANCE_WEIGHT,
        credentials: dict[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Keep what to ask; nothing is asked yet.

        Args:
            url: The exchange's address without ``/api``.
            pair: Such as ``btc_usdt``.
            interval: Any interval of Binance.
            weight: Request weight that all of this machine's processes together may use in a minute.
            credentials: ``key`` and ``secret``, both optional.
            metadata: Ignored; for plugins.

        Raises:
            DatasetError: The credentials hold something else.
            UnknownPairError: The pair is misspelt.
        """
        known = dict(credentials or {})
        if known.keys() - _CREDENTIALS:
            raise DatasetError(f"{pair}: the exchange's credentials may hold `key` and `secret`, nothing else")
        self._interval = interval
        self._pair = Pair.parse(pair)
        self._client = BinanceClient(url, known.get("key"), known.get("secret"), budget=Budget(url, weight))
        self.metadata = metadata

    def load(self) -> ExchangeSource:
        """The source; it has asked nothing yet."""
        return ExchangeSource(self._client, self._pair, self._interval)

    def save(self, data: NoReturn) -> None:  # noqa: ARG002
        """Refuse.

        Raises:
            DatasetError: Always: candles come from the exchange and never go there.
        """
        raise DatasetError(f"{self._pair}: candles cannot be saved to the exchange; save them as `{{pair}}.raw_klines`")

    def _describe(self) -> dict[str, Any]:
        return {"url": self._client.address, "pair": self._pair.name, "interval": self._interval}
