"""The model card: what a model is, what the gate found, and how good its forecasts were."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from make_us_rich.domain.judgement import Finite, Judgement


class Scores(BaseModel):
    """Of one model on some forecasts; None where there is none, such as the direction of a market that stood still.

    Attributes:
        crps: Log return; lower is better.
        coverage_50: Share of the outcomes within the 50 % interval, 0 to 1; the others alike.
        rmse: Of the median as a price, quote currency.
        mae: The same.
        mape: The same, as a share of the price.
        mase: The same as ``mae``, in units of the mean hourly change in the training rows.
        directional_accuracy: Share of the moves whose sign was forecast, 0 to 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    crps: Finite
    coverage_50: Finite
    coverage_80: Finite
    coverage_90: Finite
    rmse: Finite
    mae: Finite
    mape: Finite
    mase: Finite
    directional_accuracy: Finite


class Compared(BaseModel):
    """The model and the baseline on the same forecasts.

    Attributes:
        windows: Their number.
        own: The model's scores.
        baseline: The baseline's.
        crps_skill: Share of the baseline's CRPS that is gone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    windows: int
    own: Scores
    baseline: Scores
    crps_skill: Finite


class AtHorizon(Compared):
    """On all folds at one horizon.

    Attributes:
        horizon: Hours ahead; 0 for the mean of all horizons.
        dm_t: Of the Diebold-Mariano test of the CRPS against the baseline's.
        dm_p: Of the same test, one-sided, 0 to 1.
    """

    horizon: int
    dm_t: Finite
    dm_p: Finite


class AtVolatility(Compared):
    """On a third of the forecasts, mean of all horizons.

    Attributes:
        volatility: ``low``, ``middle`` or ``high``, by the width of the baseline's 90 % interval at one hour.
    """

    volatility: str


class OnFold(Compared):
    """On one fold, mean of all horizons.

    Attributes:
        fold: Its number, the oldest is 1.
        first: Moment of its first forecast, UTC.
        last: Of its last one.
    """

    fold: int
    first: datetime
    last: datetime


class Calibrated(BaseModel):
    """What calibration did to the 80 % interval on the folds, at one horizon.

    Attributes:
        horizon: Hours ahead.
        factor: Mean width as served over mean width as fitted.
        coverage_fitted: Share of the outcomes within the interval as fitted, 0 to 1.
        coverage_served: As served.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizon: int
    factor: Finite
    coverage_fitted: Finite
    coverage_served: Finite


class ModelCard(Judgement):
    """A judgement, and the scores of its choice; none where there were too few candles for the folds.

    Attributes:
        described: The architecture in a sentence, one for each member of a combination.
        recipe: Hyperparameters by architecture, one for each member.
        trained_until: Open time of the last candle that the published fit has seen, UTC.
        horizons: At 1, 4 and 24 hours, and their mean.
        volatilities: By tercile of volatility.
        folds: One by one.
        calibration: At 1, 4 and 24 hours.
    """

    described: dict[str, str]
    recipe: dict[str, dict[str, Any]]
    trained_until: datetime
    horizons: tuple[AtHorizon, ...]
    volatilities: tuple[AtVolatility, ...]
    folds: tuple[OnFold, ...]
    calibration: tuple[Calibrated, ...]
