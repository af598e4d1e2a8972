"""The model card: what a model is, what the gate found, and how good its forecasts were."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from make_us_rich.domain.evaluation import EvaluationReport, EventScores, Finite
from make_us_rich.domain.frozen import FrozenModel


class Scores(FrozenModel):
    """Of one model on some forecasts; None where there is none, such as the direction of a market that stood still.

    CRPS is in log return, ``high_crps`` and ``low_crps`` are of the highest high and the lowest low, coverage is the
    share of the outcomes within an interval, ``below`` and ``above`` are the shares of the closes below the quantile
    0.025 and above 0.975, ``high_above`` and ``low_below`` those of the highs and lows. ``rmse`` and ``mae`` are of the
    median as a price, in quote currency, ``mape`` as a share of the price, and ``mase`` in units of the mean hourly
    change in the training rows. ``directional_accuracy`` is the share of the moves whose sign was forecast.
    """

    crps: Finite
    high_crps: Finite = None
    low_crps: Finite = None
    below: Finite = None
    above: Finite = None
    high_above: Finite = None
    low_below: Finite = None
    coverage_50: Finite
    coverage_80: Finite
    coverage_90: Finite
    rmse: Finite
    mae: Finite
    mape: Finite
    mase: Finite
    directional_accuracy: Finite


class Compared(FrozenModel):
    """The model and the baseline on the same forecasts: their number, and the shares of the CRPS that are gone."""

    windows: int
    own: Scores
    baseline: Scores
    crps_skill: Finite
    high_crps_skill: Finite = None
    low_crps_skill: Finite = None


class AtHorizon(Compared):
    """On all folds at one horizon (0 for the mean of all), with the Diebold-Mariano test of the CRPS, one-sided."""

    horizon: int
    dm_t: Finite
    dm_p: Finite


class AtVolatility(Compared):
    """On a third of the forecasts by the width of the baseline's 90 % interval at one hour: low, middle or high."""

    volatility: str


class OnFold(Compared):
    """On one fold, mean of all horizons; the oldest is 1, ``first`` and ``last`` are moments of forecasts, UTC."""

    fold: int
    first: datetime
    last: datetime


class Calibrated(FrozenModel):
    """What calibration did to the 80 % interval on the folds, at one horizon."""

    horizon: int  # hours ahead
    factor: Finite  # mean width as served over mean width as fitted
    coverage_fitted: Finite  # share of the outcomes within the interval as fitted, 0 to 1
    coverage_served: Finite


class ModelCard(EvaluationReport):
    """An evaluation report, and the scores of its choice; none where there were too few candles for the folds.

    Architectures and hyperparameters are those of each member of an ensemble.
    """

    described: dict[str, str]  # the architecture in a sentence
    recipe: dict[str, dict[str, Any]]  # hyperparameters
    trained_until: datetime  # open time of the last candle that the published fit has seen, UTC
    horizons: tuple[AtHorizon, ...] = ()  # at 1, 4 and 24 hours, and their mean
    volatilities: tuple[AtVolatility, ...] = ()  # by tercile
    folds: tuple[OnFold, ...] = ()
    calibration: tuple[Calibrated, ...] = ()  # at 1, 4 and 24 hours
    events: EventScores = EventScores()  # of the probabilities that follow from the forecasts
