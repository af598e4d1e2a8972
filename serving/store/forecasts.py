"""One forecast for each pair, model and closed candle: computed once, serialised once."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from threading import Lock
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from make_us_rich.domain.errors import ArtifactError, DataError, MakeUsRichError
from make_us_rich.domain.forecast import Forecast
from make_us_rich.domain.klines import HOUR
from make_us_rich.inference.champion import Champion
from serving.store.candles import Candles, CandleStore
from serving.store.rendering import render
from serving.store.store import ModelsStore

log = logging.getLogger(__name__)

STALE = HOUR + timedelta(minutes=2)
"""A forecast as old as this has missed a candle."""

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Issued:
    """A forecast and its answer.

    Attributes:
        forecast: The forecast.
        champion: Who made it.
        text: The answer as JSON, without the opening brace and what depends on the moment.
    """

    forecast: Forecast
    champion: Champion
    text: bytes

    @cached_property
    def _points(self) -> tuple[bytes, ...]:
        """``prediction`` and ``prediction_at`` for each hour of the forecast, as JSON."""
        made = self.forecast
        median = made.levels.index(0.5)
        return tuple(
            b'{"prediction":%s,"prediction_at":"%s"'
            % (_number(row[median]), f"{made.issued_at + (hour + 1) * HOUR:%Y-%m-%dT%H:%M:%SZ}".encode())
            for hour, row in enumerate(made.quantiles)
        )

    def expired(self, now: datetime) -> bool:
        """Every hour that it forecasts is over."""
        return now - self.forecast.issued_at >= len(self.forecast.quantiles) * HOUR

    def stale(self, now: datetime) -> bool:
        """A newer candle should be there by now."""
        return now - self.forecast.issued_at >= STALE

    def body(self, now: datetime, reason: str | None) -> bytes:
        """The whole answer at a moment at which it has not expired.

        Args:
            now: The exchange's time, UTC.
            reason: Why there is no newer forecast, if that is known.
        """
        age = max(0, (now - self.forecast.issued_at) // _SECOND)
        told = b'false,"stale_reason":null'
        if self.stale(now):
            told = b'true,"stale_reason":%s' % json.dumps(reason).encode()
        return b'%s,"age_seconds":%d,"stale":%s,%s' % (self._points[age // 3600], age, told, self.text)


def _number(value: float) -> bytes:
    return json.dumps(float(f"{value:.10g}")).encode()


class Forecasts:
    """The newest forecast by pair. Reading takes no lock; they are made one at a time.

    Args:
        models: The champions.
        candles: The candles.
    """

    def __init__(self, models: ModelsStore, candles: CandleStore) -> None:
        self._models = models
        self._candles = candles
        self._lock = Lock()
        self._issued: Mapping[str, Issued] = MappingProxyType({})
        self._problems: dict[str, str] = {}
        self._listeners: list[Callable[[str], None]] = []

    def get(self, pair: str) -> Issued | None:
        """The pair's newest forecast, or None where there has been none yet."""
        return self._issued.get(pair)

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call this with the pair, in whichever thread made it, after each new forecast."""
        self._listeners.append(listener)

    def problem(self, pair: str) -> str | None:
        """Why there is no newer forecast, in words; None where nothing is wrong."""
        return self._problems.get(pair) or self._candles.problems.get(pair) or self._models.shelf.problems.get(pair)

    def update(self) -> None:
        """Make the forecasts whose model or candles are newer than what they were made of."""
        with self._lock:
            made = [pair for pair in self._models.pairs if self._renew(pair)]
        for pair in made:
            for listener in self._listeners:
                listener(pair)

    def _renew(self, pair: str) -> bool:
        served, candles = self._models.get(pair), self._candles.get(pair)
        if served is None:
            # No champion at the date that is served: that of another date would be no honest answer.
            self._issued = MappingProxyType({name: kept for name, kept in self._issued.items() if name != pair})
        if served is None or candles is None or self._is_current(pair, served.champion, candles):
            return False
        try:
            forecast = forecast_with(served.champion, candles.frame)
            issued = Issued(forecast, served.champion, render(served, forecast, candles.frame))
        except MakeUsRichError as exc:
            self._fail(pair, str(exc))
            return False
        self._problems.pop(pair, None)
        self._issued = MappingProxyType({**self._issued, pair: issued})
        return True

    def _is_current(self, pair: str, champion: Champion, candles: Candles) -> bool:
        issued = self.get(pair)
        return bool(issued and issued.champion is champion and issued.forecast.issued_at == candles.closed_at)

    def _fail(self, pair: str, problem: str) -> None:
        if self._problems.get(pair) != problem:
            kept = self.get(pair)
            log.warning("%s; keeping the forecast of %s", problem, kept.forecast.issued_at if kept else "nobody")
        self._problems[pair] = problem

    def try_out(self, champion: Champion) -> None:
        """Let a champion forecast from the pair's candles before it is served.

        Raises:
            ArtifactError: It cannot.
        """
        candles = self._candles.get(champion.manifest.pair)
        if candles is not None:
            try:
                forecast_with(champion, candles.frame)
            except DataError:
                # The candles' fault: any champion would fail on them.
                return


def forecast_with(champion: Champion, candles: pd.DataFrame) -> Forecast:
    """The champion's forecast, if it is one.

    Raises:
        ArtifactError: The graph fails, or its quantiles are not finite prices in order.
        DataError: The candles do not suffice.
    """
    name = f"{champion.manifest.pair} {champion.manifest.version}"
    try:
        forecast = champion.forecast(candles)
    except MakeUsRichError:
        raise
    except Exception as exc:  # onnxruntime has a family of its own, without a base class
        raise ArtifactError(f"{name}: its graph fails on the newest candles; roll back, or train again") from exc
    for whose, quantiles in {"its": forecast.quantiles, "its baseline's": forecast.baseline}.items():
        if quantiles is not None and not _prices_in_order(np.asarray(quantiles)):
            raise ArtifactError(f"{name}: {whose} quantiles are not finite prices in order; roll back, or train again")
    return forecast


def _prices_in_order(prices: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(prices).all() and (prices > 0).all() and (np.diff(prices, axis=1) >= 0).all())
