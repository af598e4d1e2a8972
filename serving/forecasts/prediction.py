"""A validated forecast of a champion, and the response that is made from it."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from make_us_rich.client import schemas
from make_us_rich.domain.errors import ArtifactError, MakeUsRichError
from make_us_rich.domain.forecast import STALE_AFTER, Forecast
from make_us_rich.domain.klines import HOUR
from make_us_rich.inference.champion import Champion
from make_us_rich.klines.frame import datetimes

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class IssuedForecast:
    """A forecast, the model that made it, and the response at the time of issue."""

    forecast: Forecast
    champion: Champion
    prediction: schemas.Prediction

    def body(self, now: datetime, problem: str | None) -> bytes:
        """JSON of the response at a moment before the forecast expires, with the reason why there is no newer one."""
        age = now - self.forecast.issued_at
        stale = age >= STALE_AFTER
        return _body(self, max(0, int(age.total_seconds())), stale, problem if stale else None)


@lru_cache(128)
def _body(issued: IssuedForecast, age_seconds: int, stale: bool, problem: str | None) -> bytes:
    # Serialised once a second and pair: that takes longer than all else that a request needs.
    forecast, hour = issued.prediction.forecast, age_seconds // 3600
    current = {
        "prediction": forecast.quantiles[hour][forecast.levels.index(0.5)],
        "prediction_at": forecast.closes_at[hour],
        "age_seconds": age_seconds,
        "stale": stale,
        "stale_reason": problem,
    }
    return issued.prediction.model_copy(update=current).model_dump_json().encode()


def forecast_with(champion: Champion, candles: pd.DataFrame) -> Forecast:
    """The champion's forecast, validated; ArtifactError if the graph fails, DataError if the candles do not suffice."""
    name, remedy = f"{champion.manifest.pair} {champion.manifest.version}", "roll back, or train again"
    try:
        forecast = champion.forecast(candles)
    except MakeUsRichError:
        raise
    except Exception as exc:  # The errors of onnxruntime have no common base class.
        raise ArtifactError(f"{name}: the graph fails on the newest candles", remedy) from exc
    for which, quantiles in (("the", forecast.quantiles), ("the baseline's", forecast.baseline)):
        prices = np.asarray(quantiles or forecast.quantiles)
        if not (np.isfinite(prices).all() and (prices > 0).all() and (np.diff(prices, axis=1) >= 0).all()):
            raise ArtifactError(f"{name}: {which} quantiles are not finite prices in ascending order", remedy)
    for target, returns in forecast.returns.items():
        if not (np.isfinite(returns).all() and (np.diff(returns, axis=1) >= 0).all()):
            raise ArtifactError(f"{name}: its {target}s are not finite quantiles in ascending order", remedy)
    return forecast


def make_prediction(
    champion: Champion, forecast: Forecast, candles: pd.DataFrame, *, simulated: bool
) -> schemas.Prediction:
    """The response at the time of issue."""
    manifest, scales, fallback = champion.manifest, champion.scales, forecast.fallback
    proven = manifest.edge.publish and not fallback
    calibration = None
    if scales and not fallback:
        factors = round_prices(scales.factors)
        calibration = schemas.Calibration(at=scales.at, forecasts=scales.forecasts, scales=factors)
    schema = schemas.Forecast(
        **_fan(forecast, forecast.quantiles).model_dump(),
        issued_at=forecast.issued_at,
        last_close=forecast.last_close,
        version=forecast.version,
        architecture=forecast.architecture,
        fallback=fallback,
        verdict=manifest.verdict.reason,
        edge=schemas.Edge(proven=proven, reason=fallback or manifest.edge.reason),
        calibration=calibration,
        baseline=_fan(forecast, forecast.baseline) if forecast.baseline else None,
    )
    shown = candles[candles["timestamp"] > candles["timestamp"].iloc[-1] - timedelta(days=5)]
    columns = {name: shown[name].to_list() for name in ("open", "high", "low", "close", "volume")}
    return schemas.Prediction(
        pair=forecast.pair,
        simulated=simulated,
        prediction=schema.quantiles[0][schema.levels.index(0.5)],
        prediction_at=schema.closes_at[0],
        age_seconds=0,
        stale=False,
        stale_reason=None,
        data=schemas.Candles(timestamp=list(datetimes(shown["timestamp"])), **columns),
        forecast=schema,
    )


def round_prices(prices: ArrayLike) -> list[float]:
    """Ten significant digits, more than a price has."""
    return [float(f"{price:.10g}") for price in np.asarray(prices, np.float64)]


def _fan(forecast: Forecast, prices: tuple[tuple[float, ...], ...]) -> schemas.Fan:
    return schemas.Fan(
        closes_at=[forecast.issued_at + hour * HOUR for hour in range(1, len(prices) + 1)],
        levels=list(forecast.levels),
        quantiles=[round_prices(row) for row in prices],
    )
