"""Everything that is answered from, put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from kedro.io import DataCatalog

from make_us_rich.domain.forecast import HORIZON
from make_us_rich.exchange import BinanceClient
from make_us_rich.inference.champion import Champion
from serving.store.candles import CandleStore
from serving.store.forecasts import Forecasts
from serving.store.live import Live
from serving.store.past import DAYS, Past
from serving.store.runs import Runs
from serving.store.store import ModelsStore

PAST_HOURS = DAYS * 24 + HORIZON
"""Hours beyond those that a model needs, so that it can re-live the past."""


@dataclass(frozen=True)
class Stores:
    """Champions, candles, the forecasts made of them, and what the hourly job has done."""

    models: ModelsStore
    candles: CandleStore
    forecasts: Forecasts
    past: Past
    live: Live
    runs: Runs

    @classmethod
    def of(cls, catalog: DataCatalog, client: BinanceClient, pairs: Sequence[str]) -> Self:
        """Empty stores; nothing has been asked yet.

        Args:
            catalog: Where the champions are.
            client: Where the candles are.
            pairs: The configured pairs.
        """

        def try_out(champion: Champion) -> None:
            forecasts.try_out(champion)

        def depth(pair: str) -> int:
            served = models.get(pair)
            return served.champion.candles + PAST_HOURS if served else 0

        models = ModelsStore(catalog, pairs, try_out=try_out)
        candles = CandleStore(client, pairs, depth)
        forecasts = Forecasts(models, candles)
        live = Live(catalog, pairs)
        return cls(models, candles, forecasts, Past(models, candles, live), live, Runs(catalog, pairs))

    def refresh_models(self) -> None:
        """Ask for new champions, forecast with them, and read how good the forecasts were."""
        self.models.refresh()
        self.forecasts.update()
        self.live.refresh()

    def refresh_candles(self) -> None:
        """Ask for new candles, and forecast from them."""
        self.candles.refresh()
        self.forecasts.update()
