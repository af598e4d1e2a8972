"""The networks that correct HAR: their inputs, how each is built, and HAR with the mean of their corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.features.har import CLASSES, HAR, HAR_SEQUENCE
from make_us_rich.models.har import COMING_MEANS, PAST_MEANS, PAST_STEPS, STATE
from make_us_rich.models.networks import nested, to_tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from make_us_rich.models.corrected_har import CorrectedHar
    from make_us_rich.models.har import FittedHar

CHANNELS = [HAR_SEQUENCE.columns.index(name) for name in ("relative_range", "scaled_return", "volume_surge")]
"""Indices of the features of the sequence."""
BOUND = 4.0
"""Largest absolute input: standard deviations of a HAR feature, or mean ranges of the week."""
LIMIT = 0.5
"""Largest correction of each kind, on the log scale."""
CURVES = 3
"""Corrections of the log volatility over the horizons: a constant, a line and a parabola."""
UPPER_LEVELS = QUANTILE_LEVELS[len(QUANTILE_LEVELS) // 2 + 1 :]
"""Levels at which the corrected steps end."""
CORRECTIONS = CURVES + len(UPPER_LEVELS)


def sequence_of(features: Tensor) -> Tensor:
    """Input of the encoders from unscaled features, bounded; ``[..., feature]`` to ``[..., channel]``."""
    return features[..., CHANNELS].clamp(-BOUND, BOUND)


def state_of(newest: Tensor, moments: Tensor) -> Tensor:
    """HAR features in standard deviations, bounded; ``[batch, state]`` to the same."""
    return ((newest - moments[0]) / moments[1]).clamp(-BOUND, BOUND)


class Member(nn.Module):
    """One network: an encoder of the sequence, a layer over the HAR features, and one layer over both.

    The last layer starts at zero, so that the first forecast is HAR's.
    """

    def __init__(self, recipe: CorrectedHar) -> None:
        super().__init__()
        self.encoder = recipe.encoder(len(CHANNELS))
        self.state = nn.Linear(STATE, recipe.hidden_size)
        self.dropout = nn.Dropout(recipe.dropout)
        self.last = nn.Linear(2 * recipe.hidden_size, CORRECTIONS)
        self.zero_init()

    def zero_init(self) -> None:
        """Correct nothing."""
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, sequence: Tensor, state: Tensor) -> Tensor:
        """``[batch, lookback, channel]`` and ``[batch, state]`` to ``[batch, correction]``."""
        hidden = torch.cat([self.encoder(sequence), torch.tanh(self.state(state))], dim=1)
        corrections: Tensor = LIMIT * torch.tanh(self.last(self.dropout(hidden)))
        return corrections


class MonotoneQuantiles(nn.Module):
    """A table of standardised quantiles whose steps between adjacent levels are scaled, so that none can cross.

    Args:
        table: Of closes, ``[horizon, level]``.
        levels: Ascending, symmetric around 0.5; those scored or more.

    Attributes:
        log_scales: Effect of each correction on the log of each step, ``[correction, horizon x step]``.
        steps: Between the table's quantiles, from the median outwards, ``[horizon, side, step]``.
        sums: Signed sums of the steps from the median outwards, 0 at the median; ``[side x step, level]``.
    """

    def __init__(self, table: NDArray[np.floating], levels: tuple[float, ...]) -> None:
        super().__init__()
        horizon, outwards = len(table), len(levels) // 2
        sides = np.stack([-table[:, :outwards][:, ::-1], table[:, outwards + 1 :]], axis=1)
        up = np.triu(np.ones((outwards, outwards)))
        lower, upper = (np.pad(-up[:, ::-1], ((0, 0), (0, outwards + 1))), np.pad(up, ((0, 0), (outwards + 1, 0))))
        self.log_scales = nn.Buffer(to_tensor(log_scales(horizon, levels[outwards + 1 :])))
        self.steps = nn.Buffer(to_tensor(np.diff(sides, axis=2, prepend=0.0)))
        self.sums = nn.Buffer(to_tensor(np.concatenate([lower, upper])))

    def forward(self, corrections: Tensor) -> Tensor:
        """``[batch, correction]`` to ``[batch, horizon, level]``."""
        scales = torch.exp(corrections @ self.log_scales).reshape(-1, len(self.steps), 1, self.steps.shape[2])
        return (self.steps * scales).flatten(2) @ self.sums


def volatility_curves(horizon: int) -> NDArray[np.float64]:
    """Legendre polynomials of the log of the horizon, ``[curve, horizon]``.

    A parameter of its own for each horizon would fit noise.
    """
    position = 2 * np.log(np.arange(1, horizon + 1)) / np.log(max(horizon, 2)) - 1
    return np.stack([np.ones(horizon), position, (3 * position**2 - 1) / 2])


def log_scales(horizon: int, upper: tuple[float, ...]) -> NDArray[np.float64]:
    """Effect of each correction on the log of each step, ``[correction, horizon x step]``.

    The first ``CURVES`` change the volatility. The others scale the steps that end at or before one of the scored
    levels, on both sides and at all horizons; the last one also the steps beyond the outermost of them. The steps end
    at the ``upper`` levels, above 0.5, ascending.
    """
    volatility = np.repeat(volatility_curves(horizon)[:, :, None], len(upper), axis=2)
    scored = np.searchsorted(UPPER_LEVELS, upper).clip(max=len(UPPER_LEVELS) - 1)
    steps = np.repeat((scored == np.arange(len(UPPER_LEVELS))[:, None])[:, None, :], horizon, axis=1)
    return np.concatenate([volatility, steps]).reshape(CORRECTIONS, -1)


class Forecaster(nn.Module):
    """HAR times the corrected tables: unscaled features in, quantiles of log returns out.

    The spread of the closes is corrected; highs and lows are made of the volatility, and follow its correction.

    Args:
        members: Trained networks, whose corrections are averaged.
        har: Fitted on all training windows.
        moments: Mean and standard deviation of the HAR features, ``[2, state]``.
        levels: Of the quantiles.
    """

    def __init__(
        self, members: Sequence[Member], har: FittedHar, moments: NDArray[np.float64], levels: tuple[float, ...]
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.close = MonotoneQuantiles(har.tables["close"], levels)
        self.profile = nn.Buffer(to_tensor(har.volatility.profile))
        self.center = nn.Buffer(to_tensor(har.volatility.center))
        self.weights = nn.Buffer(to_tensor(har.volatility.weights))
        self.seasonal_weights = nn.Buffer(to_tensor(har.volatility.seasonal_weights))
        self.bias = nn.Buffer(to_tensor(har.volatility.bias))
        self.lower = nn.Buffer(to_tensor(har.volatility.lower))
        self.upper = nn.Buffer(to_tensor(har.volatility.upper))
        self.past_means = nn.Buffer(to_tensor(PAST_MEANS))
        self.coming_means = nn.Buffer(to_tensor(COMING_MEANS))
        self.moments = nn.Buffer(to_tensor(moments))
        self.curves = nn.Buffer(to_tensor(volatility_curves(len(har.tables["close"]))))
        self.high_table = nn.Buffer(to_tensor(har.tables["high"]))
        self.low_table = nn.Buffer(to_tensor(har.tables["low"]))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``[batch, lookback, feature]`` to closes, highs and lows, ``[batch, horizon, level]``."""
        newest = features[:, -1, : len(HAR.columns)]
        sequence, state = sequence_of(features), state_of(newest[:, :STATE], self.moments)
        corrections = torch.stack([member(sequence, state) for member in self.members]).mean(dim=0)
        log_sigma = self.log_sigma(newest)
        close = torch.exp(log_sigma).unsqueeze(2) * self.close(corrections)
        sigma = torch.exp(log_sigma + corrections[:, :CURVES] @ self.curves).unsqueeze(2)
        return nested(close, sigma * self.high_table, sigma * self.low_table)

    def log_sigma(self, newest: Tensor) -> Tensor:
        """``LinearVolatility.log_sigma``, ``[batch, horizon]`` from ``[batch, feature]``."""
        season = self.profile[newest[:, STATE:].clamp(0, CLASSES - 1).long()]
        inputs = torch.cat([newest[:, :STATE], season[:, :PAST_STEPS] @ self.past_means], dim=1)
        coming_season = torch.log(torch.exp(2 * season[:, PAST_STEPS:]) @ self.coming_means) / 2
        forecast = (inputs - self.center) @ self.weights + coming_season * self.seasonal_weights + self.bias
        return torch.minimum(torch.maximum(forecast, self.lower), self.upper)
