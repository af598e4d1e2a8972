"""Forecasts of the past, re-lived by the model of today, and what came true."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from make_us_rich.domain.klines import HOUR
from make_us_rich.evaluation.calibration import apply_widths
from make_us_rich.evaluation.scores import coverage
from make_us_rich.features.hours import naive_utc
from make_us_rich.inference.champion import Champion
from make_us_rich.inference.past import past_forecasts
from serving.schemas import PastForecast, PastForecasts
from serving.store.candles import Candles, CandleStore
from serving.store.rendering import rounded
from serving.store.store import ModelsStore

DAYS = 7
"""How far back forecasts are re-lived: their candles are there anyway."""

_NOTE = (
    "re-lived: made afterwards by the model that is served now, calibrated as it is now, on candles that its fit has"
    " not seen; no record of what was served at the time"
)
_INTERVALS = {"50": (0.25, 0.75), "80": (0.1, 0.9), "90": (0.05, 0.95)}


@dataclass(frozen=True)
class Relived:
    """The past of one model at one candle.

    Attributes:
        champion: The model.
        until: When the newest candle closed, UTC.
        issued_at: Of each forecast, UTC.
        last_closes: Quote currency, ``[forecast]``.
        quantiles: Log returns, ``[forecast, horizon, level]``.
        targets: Log returns that came true, ``[forecast, horizon]``.
    """

    champion: Champion
    until: datetime
    issued_at: tuple[datetime, ...]
    last_closes: NDArray[np.float64]
    quantiles: NDArray[np.floating]
    targets: NDArray[np.float64]


class Past:
    """Re-lives a pair once for each model and candle, when somebody asks.

    Args:
        models: The champions.
        candles: The candles.
    """

    def __init__(self, models: ModelsStore, candles: CandleStore) -> None:
        self._models = models
        self._candles = candles
        self._lock = Lock()
        self._relived: Mapping[str, Relived] = MappingProxyType({})

    def at(self, pair: str, horizon: int) -> PastForecasts | None:
        """The past forecasts at one horizon; None without a model or candles. Takes a moment: not for an event loop."""
        served, candles = self._models.get(pair), self._candles.get(pair)
        if served is None or candles is None:
            return None
        with self._lock:
            relived = self._relived.get(pair)
            if relived is None or relived.champion is not served.champion or relived.until != candles.closed_at:
                relived = _relive(served.champion, candles)
                self._relived = MappingProxyType({**self._relived, pair: relived})
        return _describe(relived, horizon)


def _relive(champion: Champion, candles: Candles) -> Relived:
    past = past_forecasts(champion, candles.frame, DAYS)
    opens = naive_utc(candles.frame["timestamp"].array)
    rows = np.searchsorted(opens, past.opens)
    widths = champion.widths
    served = past.quantiles if widths is None else apply_widths(past.quantiles, np.asarray(widths.factors), past.levels)
    closes = candles.frame["close"].to_numpy(np.float64)[rows]
    issued = tuple(moment.to_pydatetime() + HOUR for moment in candles.frame["timestamp"].iloc[rows])
    return Relived(champion, candles.closed_at, issued, closes, served, past.targets)


def _describe(relived: Relived, horizon: int) -> PastForecasts:
    manifest, at = relived.champion.manifest, horizon - 1
    return PastForecasts(
        pair=manifest.pair,
        version=manifest.version,
        source="relived",
        note=_NOTE,
        horizon=horizon,
        levels=list(manifest.levels),
        coverage={name: _covered(relived, at, ends) for name, ends in _INTERVALS.items()},
        forecasts=[_forecast(relived, row, at) for row in range(len(relived.issued_at))],
    )


def _covered(relived: Relived, at: int, ends: tuple[float, float]) -> float | None:
    if not relived.issued_at:
        return None
    levels = relived.champion.manifest.levels
    low, high = (relived.quantiles[:, at, levels.index(level)] for level in ends)
    return float(coverage(relived.targets[:, at], low, high))


def _forecast(relived: Relived, row: int, at: int) -> PastForecast:
    close, issued = relived.last_closes[row], relived.issued_at[row]
    prices = close * np.exp(relived.quantiles[row, at].astype(np.float64))
    return PastForecast(
        issued_at=issued,
        closes_at=issued + (at + 1) * HOUR,
        last_close=float(close),
        quantiles=rounded(prices),
        outcome=rounded([close * np.exp(relived.targets[row, at])])[0],
    )
