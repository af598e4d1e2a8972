"""Forecasts of the past and what came true: as they were recorded, else re-lived by the model of today."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
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
from serving.store.live import Live, Recorded
from serving.store.rendering import rounded
from serving.store.store import ModelsStore

DAYS = 7
"""How far back forecasts are told: the candles to re-live them are there anyway."""

_RECORDED = "recorded: what was served at the time, each by the champion of its hour"

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
    """Reads what was recorded; where there is nothing, re-lives a pair once for each model and candle.

    Args:
        models: The champions.
        candles: The candles.
        live: What the monitoring has recorded.
    """

    def __init__(self, models: ModelsStore, candles: CandleStore, live: Live) -> None:
        self._models = models
        self._candles = candles
        self._live = live
        self._lock = Lock()
        self._relived: Mapping[str, Relived] = MappingProxyType({})

    def at(self, pair: str, horizon: int) -> PastForecasts | None:
        """The past forecasts at one horizon; None without a model or candles. Takes a moment: not for an event loop."""
        served, candles = self._models.get(pair), self._candles.get(pair)
        if served is None or candles is None:
            return None
        recorded = self._live.recorded(pair) if self._models.shelf.as_of is None else None
        told = _describe_recorded(pair, recorded, horizon) if recorded else None
        if told and told.forecasts:
            return told
        with self._lock:
            relived = self._relived.get(pair)
            if relived is None or relived.champion is not served.champion or relived.until != candles.closed_at:
                relived = _relive(served.champion, candles)
                self._relived = MappingProxyType({**self._relived, pair: relived})
        return _describe(relived, horizon)


def _describe_recorded(pair: str, recorded: Recorded, horizon: int) -> PastForecasts:
    """The forecasts of the last week whose outcome has come."""
    since = recorded.at - timedelta(days=DAYS)
    rows = [
        row
        for row, issued in enumerate(recorded.issued_at)
        if issued > since and issued + horizon * HOUR in recorded.closes
    ]
    forecasts = [_recorded_forecast(recorded, row, horizon) for row in rows]
    return PastForecasts(
        pair=pair,
        version=recorded.versions[-1],
        source="recorded",
        note=_RECORDED,
        horizon=horizon,
        levels=list(recorded.levels),
        coverage={name: _covered_recorded(recorded, forecasts, ends) for name, ends in _INTERVALS.items()},
        forecasts=forecasts,
    )


def _recorded_forecast(recorded: Recorded, row: int, horizon: int) -> PastForecast:
    issued = recorded.issued_at[row]
    closes_at = issued + horizon * HOUR
    return PastForecast(
        issued_at=issued,
        closes_at=closes_at,
        last_close=float(recorded.last_closes[row]),
        quantiles=rounded(recorded.quantiles[row, horizon - 1]),
        outcome=recorded.closes[closes_at],
    )


def _covered_recorded(recorded: Recorded, forecasts: list[PastForecast], ends: tuple[float, float]) -> float | None:
    if not forecasts:
        return None
    low, high = ([each.quantiles[recorded.levels.index(level)] for each in forecasts] for level in ends)
    return float(coverage([each.outcome for each in forecasts], low, high))


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
