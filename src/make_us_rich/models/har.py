"""HAR: log volatility by ridge regression on realised ranges and the season, times empirical quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from make_us_rich.backtest.calibration import Quantiles
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.features.har import CLASSES, HAR, HAR_COLUMNS, SEASON_STEPS
from make_us_rich.models.base import Architecture, FitSettings, FittedModel, Scaler, loss_history
from make_us_rich.models.closed_form import (
    SCALED_TABLES,
    build_onnx,
    mean_pinball,
    quantile_tables,
    scaled_tables,
    table_constants,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from make_us_rich.features.split import Parts
    from make_us_rich.features.windows import Windows

RANGE, WEEK = HAR_COLUMNS.index("log_range_1h"), HAR_COLUMNS.index("log_range_168h")
"""Log range of the hour, whose coming values are the target, and its mean over a week."""
NOW = HAR.columns.index("season_class_+0h")
STATE = len(HAR_COLUMNS)
"""Number of features before the season classes."""
RIDGE = 0.002
"""Penalty of each standardised input, in shares of the number of windows."""
SEASON_RIDGE = 0.0002
"""The same of the season of the coming hours."""
RETURN_FLOOR = 1e-8
"""Added to a squared return: a volatility of one basis point, as in the features."""
MAX_RETURN_SHARE = 0.5
RETURN_SHARE_FROM, RETURN_SHARE_UNTIL = 1, 6
"""Horizons, hours, between which the share of squared returns in the target rises from 0 to its maximum."""
MARGIN = float(np.log(2))
"""Bound of a forecast: from half the lowest to twice the highest fitted volatility."""
VARIANCE_FLOOR = 0.02
"""Share of the mean variance that is added to every variance, so that hours without a move have a finite logarithm."""
PAST_SPANS = (1, 4, 12, 24, 72)
"""Last hours over which the profile is averaged."""
PAST_STEPS = len(SEASON_STEPS) - HORIZON
"""Number of season classes up to the candle's own; the others are those of the coming hours."""
PAST_MEANS = (np.arange(PAST_STEPS)[::-1, None] < np.array(PAST_SPANS)) / np.array(PAST_SPANS)
"""Weights of the means over the last hours, ``[past step, span]``."""
COMING_MEANS = np.triu(np.ones((HORIZON, HORIZON))) / np.arange(1, HORIZON + 1)
"""Weights of the means over the next 1 to ``HORIZON`` hours, ``[coming step, horizon]``."""
PROFILE_RIDGE = 5.0
"""Penalty of the effects of hour and day, in observations."""
CLASS_SHRINKAGE = 30.0
"""Observations of a class at which half of its own effect counts."""
FIRST_WEEKEND_CLASS = 5 * 24


class HarArchitecture(Architecture):
    """A heterogeneous autoregression of volatility (HAR), for all horizons in one ridge regression.

    The target at horizon h is the log of the root of the variance of the next h hours, from squared hourly ranges and,
    at longer horizons, squared returns. The quantiles are those of the returns over the forecast volatility, with the
    median at the last close.

    Attributes:
        symmetric_from: First horizon, hours, whose quantiles are shrunk towards symmetric ones: a year holds few
            independent days, and its drift does not persist.
        symmetry: Weight of the symmetric quantiles, from 0 to 1.
    """

    symmetric_from: int = Field(ge=1)
    symmetry: float = Field(ge=0, le=1)

    def fit(
        self,
        parts: Parts,
        scaler: Scaler,  # noqa: ARG002
        settings: FitSettings,
        previous: FittedModel | None = None,  # noqa: ARG002
    ) -> FittedModel:
        """Fit on training and validation windows; see ``fit_har``."""
        return self.fit_har(parts.train_validation(), settings.levels)

    def fit_har(self, windows: Windows, levels: tuple[float, ...]) -> FittedHar:
        """Fit the volatility, then take the quantiles of the standardised returns."""
        targets, volatility = windows.all_targets(), fit_volatility(windows)
        sigma = np.exp(volatility.log_sigma(newest_rows(windows)))
        tables = self.quantile_tables({target: each / sigma for target, each in targets.items()}, levels)
        closes, scale = (np.ascontiguousarray(each.T) for each in (targets["close"], sigma))
        loss = np.mean(mean_pinball(closes, scale, tables["close"], levels))
        single = LinearVolatility(**{name: values.astype(np.float32) for name, values in vars(volatility).items()})
        tables = {target: table.astype(np.float32) for target, table in tables.items()}
        return FittedHar(single, tables, self.lookback, loss_history([float(loss)]))

    def quantile_tables(self, ratios: Mapping[str, NDArray[np.floating]], levels: tuple[float, ...]) -> Quantiles:
        """`closed_form.quantile_tables`, symmetric from ``symmetric_from`` on."""
        late = np.arange(1, ratios["close"].shape[1] + 1) >= self.symmetric_from
        return quantile_tables(ratios, levels, self.symmetry * late[:, None])


class Har(HarArchitecture):
    """Heterogeneous autoregression of volatility (HAR) on ranges, volume, moves and the coming hour."""

    feature_set: Literal["har"] = "har"


def newest_rows(windows: Windows) -> NDArray[np.float32]:
    """The HAR features of the newest candle, which are the first features, ``[window, feature]``."""
    return windows.features[windows.origins, : len(HAR.columns)]


def log_volatility(windows: Windows) -> NDArray[np.float64]:
    """Log of the root of the variance of the next 1 to ``horizon`` hours, ``[window, horizon]``.

    The variance is a mean of summed squared ranges (Parkinson) and summed squared returns: ranges measure an hour best,
    and returns are what the quantiles are of. A share of its mean over the windows is added: where prices move
    in coarse ticks, most hours have no range, and the regression would forecast the number of such hours
    (docs/adr/0015).
    """
    horizons = np.arange(1, windows.horizon + 1)
    ahead = windows.origins[:, None] + horizons
    ranges = np.exp(2 * windows.features[:, RANGE].astype(np.float64))[ahead].cumsum(axis=1)
    returns = np.diff(np.log(windows.closes), prepend=np.nan)[ahead]
    squares = (returns**2 + RETURN_FLOOR).cumsum(axis=1)
    ramp = (horizons - RETURN_SHARE_FROM) / (RETURN_SHARE_UNTIL - RETURN_SHARE_FROM)
    share = MAX_RETURN_SHARE * np.clip(ramp, 0, 1)
    variance = (1 - share) * ranges + share * squares
    target: NDArray[np.float64] = np.log(variance + VARIANCE_FLOOR * variance.mean(axis=0)) / 2
    return target


def fit_volatility(windows: Windows) -> LinearVolatility:
    """Ridge regression of log volatility on standardised inputs, for all horizons.

    Each horizon has the same inputs and one of its own, the season of its hours.
    """
    targets = log_volatility(windows)
    newest = newest_rows(windows)
    range_over_week = newest[:, RANGE].astype(np.float64) - newest[:, WEEK]
    profile = fit_profile(newest[:, NOW].astype(np.int64), range_over_week)
    past, seasonal = season_of(newest, profile)
    inputs = np.concatenate([newest[:, :STATE], past], axis=1)
    del newest, past
    center, scale = _standardise(inputs)
    seasonal_center, seasonal_scale = _standardise(seasonal)
    inputs -= center
    inputs /= scale
    z = (seasonal - seasonal_center) / seasonal_scale
    bias = targets.mean(axis=0)
    weights, seasonal_weights = _solve(inputs, z, targets - bias)
    fitted = inputs @ weights + z * seasonal_weights + bias
    return LinearVolatility(
        profile=profile,
        center=center,
        weights=weights / scale[:, None],
        seasonal_weights=seasonal_weights / seasonal_scale,
        bias=bias - seasonal_center * seasonal_weights / seasonal_scale,
        lower=fitted.min(axis=0) - MARGIN,
        upper=fitted.max(axis=0) + MARGIN,
    )


def _solve(
    x: NDArray[np.floating], z: NDArray[np.floating], targets: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ridge regression of each target on all of ``x``, ``[window, input]``, and its own column of ``z``.

    The normal equations of the horizons differ in one row and one column. Weights of ``x`` are ``[input, horizon]``,
    those of ``z`` ``[horizon]``.
    """
    count, size = x.shape
    gram = np.empty((z.shape[1], size + 1, size + 1))
    gram[:, :size, :size] = x.T @ x + count * RIDGE * np.eye(size)
    gram[:, :size, size] = gram[:, size, :size] = z.T @ x
    gram[:, size, size] = (z**2).sum(axis=0) + count * SEASON_RIDGE
    moments = np.concatenate([targets.T @ x, (z * targets).sum(axis=0)[:, None]], axis=1)
    solved = np.linalg.solve(gram, moments[:, :, None])[:, :, 0]
    return solved[:, :size].T, solved[:, size]


def _standardise(values: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Mean and standard deviation by column, 1 for a constant one."""
    spread = values.std(axis=0)
    return values.mean(axis=0), np.where(spread > 1e-6, spread, 1.0)


def fit_profile(classes: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean deviation of the values by season class, shrunk; ``[class]``.

    A ridge regression on 48 dummies of the hour (on working days and on weekends) and 7 of the day; the class means of
    its residuals are added, times n / (n + ``CLASS_SHRINKAGE``) for n observations. Both inputs are ``[row]``.
    """
    counts = np.bincount(classes, minlength=CLASSES)
    sums = np.bincount(classes, values - values.mean(), minlength=CLASSES)
    week = np.arange(CLASSES)
    hours = week % 24 + 24 * (week >= FIRST_WEEKEND_CLASS)
    dummies = np.concatenate([np.eye(48)[hours], np.eye(7)[week // 24]], axis=1)
    gram = dummies.T @ (counts[:, None] * dummies) + PROFILE_RIDGE * np.eye(55)
    effects = dummies @ np.linalg.solve(gram, dummies.T @ sums)
    # n times the mean residual, over n + shrinkage.
    profile: NDArray[np.float64] = effects + (sums - counts * effects) / (counts + CLASS_SHRINKAGE)
    return profile


def season_of(
    newest: NDArray[np.floating], profile: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Inputs that the season's profile, ``[class]``, gives from ``[window, feature]``.

    Means of the profile over the last hours, ``[window, span]``, and the log volatility that it implies for the next 1
    to ``HORIZON`` hours, ``[window, horizon]``.
    """
    season = profile[newest[:, STATE:].clip(0, CLASSES - 1).astype(np.uint8)]
    variance = np.exp(2 * season[:, PAST_STEPS:]) @ COMING_MEANS.astype(profile.dtype)
    return season[:, :PAST_STEPS] @ PAST_MEANS.astype(profile.dtype), np.log(variance) / 2


@dataclass(frozen=True)
class LinearVolatility:
    """A linear forecast of log volatility, clipped to the range of the fit.

    Attributes:
        profile: Season of log volatility by class, ``[class]``.
        center: ``[input]``, subtracted before the product, so that single precision suffices.
        weights: Of the HAR features and the means of the past season, ``[input, horizon]``.
        seasonal_weights: Of the coming season, ``[horizon]``.
        bias: ``[horizon]``.
        lower: Smallest forecast, ``[horizon]``.
        upper: Largest forecast, ``[horizon]``.
    """

    profile: NDArray[np.floating]
    center: NDArray[np.floating]
    weights: NDArray[np.floating]
    seasonal_weights: NDArray[np.floating]
    bias: NDArray[np.floating]
    lower: NDArray[np.floating]
    upper: NDArray[np.floating]

    def log_sigma(self, newest: NDArray[np.floating]) -> NDArray[np.floating]:
        """Log volatility of the return over each horizon, ``[window, horizon]`` from ``[window, feature]``."""
        past, seasonal = season_of(newest, self.profile)
        inputs = np.concatenate([newest[:, :STATE], past], axis=1)
        inputs -= self.center
        forecast = inputs @ self.weights + seasonal * self.seasonal_weights + self.bias
        clipped: NDArray[np.floating] = np.clip(forecast, self.lower, self.upper)
        return clipped


@dataclass(frozen=True)
class FittedHar:
    """A linear volatility and tables of standardised quantiles.

    Attributes:
        volatility: Log volatility from the newest candle's features, single precision.
        tables: Quantiles of the standardised returns by target, ``[horizon, level]``.
        lookback: Candles of its input, of which it uses the newest.
        history: One row: the fit has one step.
    """

    volatility: LinearVolatility
    tables: Quantiles
    lookback: int
    history: pd.DataFrame

    def quantiles(self, inputs: NDArray[np.float32]) -> Quantiles:
        """Volatility times tables; see ``FittedModel``."""
        return scaled_tables(np.exp(self.volatility.log_sigma(inputs[:, -1])), self.tables)

    def to_onnx(self) -> bytes:
        """The same operations as a graph."""
        formula = f"""
            newest = Gather <axis = 1> (features, last)
            state, classes = Split <axis = 1> (newest, sizes)
            bounded_classes = Clip (classes, first_class, last_class)
            indices = Cast <to = 7> (bounded_classes)
            season = Gather (profile, indices)
            past, coming = Split <axis = 1> (season, steps)
            past_season = MatMul (past, past_means)
            inputs = Concat <axis = 1> (state, past_season)
            centered = Sub (inputs, center)
            product = MatMul (centered, weights)
            doubled = Mul (coming, two)
            hourly_variance = Exp (doubled)
            variance = MatMul (hourly_variance, coming_means)
            log_variance = Log (variance)
            coming_season = Div (log_variance, two)
            seasonal = Mul (coming_season, seasonal_weights)
            sum = Add (product, seasonal)
            forecast = Add (sum, bias)
            bounded = Max (forecast, lower)
            log_sigma = Min (bounded, upper)
            sigma = Exp (log_sigma)
            {SCALED_TABLES}
        """
        constants = {
            "last": np.array(-1),
            "sizes": np.array([STATE, len(HAR.columns) - STATE]),
            "first_class": np.array(0, np.float32),
            "last_class": np.array(CLASSES - 1, np.float32),
            "steps": np.array([PAST_STEPS, HORIZON]),
            "past_means": PAST_MEANS.astype(np.float32),
            "coming_means": COMING_MEANS.astype(np.float32),
            "two": np.array(2, np.float32),
            **vars(self.volatility),
            **table_constants(self.tables),
        }
        shapes = (self.lookback, len(HAR.columns)), self.tables["close"].shape
        return bytes(build_onnx("har", formula, constants, shapes).SerializeToString())
