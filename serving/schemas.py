"""What the endpoints about forecasts and models answer with: documented, and serialised from, the same classes."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Anything that is answered with."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CandleColumns(Answer):
    """Closed candles of an hour, oldest first, one list a column; prices in quote currency, volume in base currency."""

    timestamp: list[datetime]
    """When each opened, UTC."""
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]


class Edge(Answer):
    """Whether the point forecast has been proven to be better than the last close."""

    proven: bool
    reason: str


class WidthsUsed(Answer):
    """How the intervals were calibrated on the model's own past forecasts."""

    at: datetime
    """The newest candle that the calibration knows, UTC."""
    forecasts: int
    factors: list[float]
    """What each horizon's distances from the median were multiplied by."""


class Fan(Answer):
    """Quantiles of the next closes, in quote currency."""

    closes_at: list[datetime]
    """The moments forecast, UTC, one an hour."""
    levels: list[float]
    """Probability that a close stays under a quantile, ascending."""
    quantiles: list[list[float]]
    """[hour][level]."""


class ForecastAnswer(Fan):
    """A forecast, and what it rests on."""

    issued_at: datetime
    """When the newest candle that it knows had closed, UTC."""
    last_close: float
    version: str
    """Of the model."""
    architecture: str
    stand_in: str | None
    """Why the baseline forecasts in the model's place; None where it does not."""
    verdict: str
    """Why the model is the one that is served."""
    edge: Edge
    calibration: WidthsUsed | None
    """None where widths are as they were fitted."""
    baseline: Fan | None
    """Persistence with EWMA volatility on the same candles; None where none is stored with the model."""


class Age(Answer):
    """How old a forecast is at the moment of the answer."""

    prediction: float
    """Median of the close that comes next, in quote currency; the last close unless an edge is proven."""
    prediction_at: datetime
    """When that close comes, UTC."""
    age_seconds: int
    """Since the forecast was issued."""
    stale: bool
    """A newer candle should be there by now."""
    stale_reason: str | None


class Forecasted(Answer):
    """What does not change until the next candle closes."""

    pair: str
    data: CandleColumns
    """The last five days."""
    forecast: ForecastAnswer


class Prediction(Forecasted, Age):
    """Five days of candles, the next hour's close, and the distribution of the next 24."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "prediction": 84250.5,
                    "prediction_at": "2025-03-01T11:00:00Z",
                    "age_seconds": 312,
                    "stale": False,
                    "stale_reason": None,
                    "pair": "btc_usdt",
                    "data": {
                        "timestamp": ["2025-03-01T09:00:00Z"],
                        "open": [84010.2],
                        "high": [84391.0],
                        "low": [83950.0],
                        "close": [84250.5],
                        "volume": [412.7],
                    },
                    "forecast": {
                        "closes_at": ["2025-03-01T11:00:00Z"],
                        "levels": [0.05, 0.5, 0.95],
                        "quantiles": [[83410.1, 84250.5, 85071.9]],
                        "issued_at": "2025-03-01T10:00:00Z",
                        "last_close": 84250.5,
                        "version": "2025-03-01T09.05.00.000Z",
                        "architecture": "har",
                        "stand_in": None,
                        "verdict": "mean CRPS 2.8 % below the baseline's, better in 8 of 8 folds (p = 0.000)",
                        "edge": {"proven": False, "reason": "no edge: the point forecast is the last close"},
                        "calibration": None,
                        "baseline": None,
                    },
                }
            ]
        }
    )


class Promoted(Answer):
    """A version became the champion."""

    version: str
    at: datetime
    reason: str


class Versions(Answer):
    """What a pair serves, and what it can be rolled back to."""

    pair: str
    version: str | None
    """The champion; None where nothing has been published yet."""
    earlier: list[Promoted]
    """When each other version last became the champion, the newest first."""


class ChampionChanged(Answer):
    """After a rollback."""

    pair: str
    version: str | None
    """That this process serves now."""
    message: str
    """What was done, in words."""


class PairServed(Answer):
    """What is served for one pair."""

    pair: str
    version: str | None
    architecture: str | None
    issued_at: datetime | None
    """Of the forecast that is answered with now; None where there is none yet."""
    problem: str | None
    """Why its model or its candles are not the newest."""


class Pairs(Answer):
    """Every configured pair."""

    pairs: list[PairServed]
    as_of: datetime | None
    """The date whose champions are served; None for today's."""


class Loaded(Answer):
    """The loaded models."""

    number: int
    models: list[str]
    """Pairs."""


class ModelAnswer(Answer):
    """A pair's champion."""

    pair: str
    version: str
    architecture: str
    loaded_at: datetime
    manifest: dict[str, Any]
    """Features, candles, scores on the folds, verdict, checksums; see the documentation of exporting."""
    card: dict[str, Any] | None
    """The model card; None where the version has none."""
    promotions: list[Promoted]
    """The pair's champions so far, oldest first."""


class PastForecast(Answer):
    """One forecast, and what came true."""

    issued_at: datetime
    closes_at: datetime
    last_close: float
    quantiles: list[float]
    outcome: float
    """The close that came, in quote currency."""


class PastForecasts(Answer):
    """Forecasts of the past at one horizon, oldest first."""

    pair: str
    version: str
    source: str
    """``recorded``: what was served at the time. ``relived``, where nothing was recorded yet: made afterwards by the
    model of today, on candles that its fit has not seen."""
    note: str
    horizon: int
    levels: list[float]
    coverage: dict[str, float | None]
    """Share of the outcomes within the interval of that many per cent, 0 to 1."""
    forecasts: list[PastForecast]


class RunEnded(Answer):
    """One run of one pair's pipeline, which the hourly job made."""

    pair: str
    pipeline: str
    """Such as ``monitor_btc_usdt``."""
    hour: datetime
    """The full hour that it was for, UTC."""
    started: datetime
    ended: datetime
    ok: bool
    exit_code: int
    """Of its process; negative for a signal."""
    reason: str
    """What it said last, or why it failed."""
    missed: int
    """Hours before it for which nothing was done, and which it made up for."""


class LastRuns(Answer):
    """The last hourly runs, the newest first."""

    runs: list[RunEnded]
    problems: list[str]
    """Pairs whose record of runs cannot be read, and why."""
