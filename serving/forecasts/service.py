"""The forecast service: the newest forecast of each pair, and the tasks that refresh champions and candles."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock

from make_us_rich.domain.errors import DataError, MakeUsRichError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.klines import HOUR
from make_us_rich.exchange import BinanceClient
from make_us_rich.inference.champion import Champion
from make_us_rich.inference.past import HISTORY_DAYS
from make_us_rich.repository import ModelRepository
from serving.errors import ServingError
from serving.forecasts.candles import CandleCache
from serving.forecasts.history import ForecastHistory
from serving.forecasts.models import ModelCache, ModelSnapshot
from serving.forecasts.prediction import IssuedForecast, forecast_with, make_prediction
from serving.forecasts.public_record import PublicRecord

log = logging.getLogger(__name__)


class ForecastService:
    """One forecast for each pair, champion and closed candle, with what it is made from and those before it.

    Reading takes no lock; one thread at a time computes. Nothing is requested before ``start``. Store and exchange have
    a thread each, so that neither can delay the other or a request.
    """

    def __init__(self, repository: ModelRepository, client: BinanceClient) -> None:
        self.repository = repository
        self.pairs = repository.pairs
        self.models = ModelCache(repository, self.check)
        self.candles = CandleCache(client, repository.pairs, self._min_hours)
        self.history = ForecastHistory(repository, self.models, self.candles)
        self.public_record = PublicRecord(self.history, self.candles)
        self.listeners: list[Callable[[], None]] = []
        """Called after new forecasts, in the thread that computed them."""
        self._lock = Lock()
        self._issued: dict[str, IssuedForecast] = {}
        self._problems: dict[str, str] = {}
        self._store_thread = ThreadPoolExecutor(1, "models")
        self._exchange_thread = ThreadPoolExecutor(1, "candles")
        self._tasks: list[asyncio.Task[None]] = []

    def get(self, pair: str) -> IssuedForecast | None:
        """The newest forecast of a pair, or None before the first one."""
        return self._issued.get(pair)

    def problem(self, pair: str) -> str | None:
        """Why there is no newer forecast; None if it is the newest."""
        return self._problems.get(pair) or self.candles.problem(pair) or self.models.snapshot.problems.get(pair)

    def current(self, pair: str) -> IssuedForecast:
        """The newest forecast of a pair; the error ``no_forecast`` if there is none or all its hours are over."""
        issued, problem = self.get(pair), self.problem(pair)
        if issued is None:
            message = problem or f"{pair}: no forecast has been made yet"
        elif self.candles.now() - issued.forecast.issued_at >= len(issued.forecast.quantiles) * HOUR:
            message = f"the forecast of {issued.forecast.issued_at:%Y-%m-%d %H:%M} UTC is over; {problem or pair}"
        else:
            return issued
        raise ServingError("no_forecast", message, "try again in a minute", {"Retry-After": "60"})

    def body(self, pair: str) -> bytes:
        """The response for a pair at this moment, from memory; errors as of `current`."""
        return self.current(pair).body(self.candles.now(), self.problem(pair))

    def refresh_models(self) -> None:
        """Load new champions, forecast with them, and read the live scores."""
        self.models.refresh()
        self._update()
        self.history.refresh()

    def refresh_candles(self) -> None:
        """Fetch new candles and forecast from them."""
        self.candles.refresh()
        self._update()

    def check(self, champion: Champion) -> None:
        """Let a champion forecast from the pair's candles before it is served; ArtifactError if it cannot."""
        candles = self.candles.get(champion.manifest.pair)
        if candles is not None:
            with suppress(DataError):  # Any champion would fail on these candles.
                forecast_with(champion, candles.frame)

    def start(self, models_seconds: float, candles_seconds: float) -> None:
        """Check store and exchange at these intervals until ``stop``."""
        self._tasks = [
            asyncio.create_task(_repeat(self._store_thread, self.refresh_models, models_seconds)),
            asyncio.create_task(_repeat(self._exchange_thread, self.refresh_candles, candles_seconds)),
        ]

    async def stop(self) -> None:
        """Stop; a thread that waits for the store or the exchange ends with its timeout."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for thread in (self._store_thread, self._exchange_thread):
            thread.shutdown(wait=False, cancel_futures=True)

    async def change_models(self, change: Callable[[], ModelSnapshot]) -> ModelSnapshot:
        """Call ``ModelCache.reload`` or ``serve_as_of`` in the thread of the store, and update the forecasts."""

        def change_and_forecast() -> ModelSnapshot:
            snapshot = change()
            self._update()
            return snapshot

        return await asyncio.get_running_loop().run_in_executor(self._store_thread, change_and_forecast)

    def _min_hours(self, pair: str) -> int:
        """Hours of candles for a forecast and for the backtest of the history."""
        model = self.models.get(pair)
        return model.champion.candles + HISTORY_DAYS * 24 + HORIZON if model else 0

    def _update(self) -> None:
        """Compute the forecasts whose champion or candles are newer than those of the last forecast."""
        with self._lock:
            updated = [pair for pair in self.pairs if self._update_pair(pair)]
        for listener in self.listeners if updated else []:
            listener()

    def _update_pair(self, pair: str) -> bool:
        model, candles, issued = self.models.get(pair), self.candles.get(pair), self.get(pair)
        if model is None:
            # At the served date the pair had no champion; the forecast of another one would be wrong.
            self._issued.pop(pair, None)
        if model is None or candles is None:
            return False
        champion = model.champion
        if issued and issued.champion is champion and issued.forecast.issued_at == candles.closed_at:
            return False
        try:
            forecast = forecast_with(champion, candles.frame)
        except MakeUsRichError as exc:
            if self._problems.get(pair) != str(exc):
                log.warning("%s; the forecast is not updated", exc)
            self._problems[pair] = str(exc)
            return False
        prediction = make_prediction(champion, forecast, candles.frame, simulated=self.candles.simulated)
        self._problems.pop(pair, None)
        self._issued[pair] = IssuedForecast(forecast, champion, prediction)
        return True


async def _repeat(thread: ThreadPoolExecutor, refresh: Callable[[], None], seconds: float) -> None:
    while True:
        try:
            await asyncio.get_running_loop().run_in_executor(thread, refresh)
        except Exception:
            # The service must go on after an unexpected error.
            log.exception("refreshing failed; the next attempt is in %s s", seconds)
        await asyncio.sleep(seconds)
