"""HAR-V: log volatility by least squares, times empirical quantiles of what was left over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from make_us_rich.domain.onnx_contract import INPUT, OUTPUT
from make_us_rich.evaluation.scores import pinball
from make_us_rich.features.har_week import COLUMNS
from make_us_rich.models.closed_form import (
    hold_median,
    loss_history,
    serialise,
    symmetric_quantiles,
    training_windows,
)
from make_us_rich.models.interface import Architecture, FitSettings, Scaler

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from make_us_rich.features.split import Parts
    from make_us_rich.features.windows import Windows

RANGE = "log_range_1h"
"""The feature whose coming values are the target: the log of an hour's volatility."""
MARGIN = float(np.log(2))
"""How far beyond the fitted log volatilities a forecast may go: to twice the highest, to half the lowest."""
STILLNESS = 0.02
"""Part of the mean variance that is added to every variance: hours without a move have a logarithm near the others'."""


class RangeArchitecture(Architecture):
    """What has HAR-V in it.

    Attributes:
        symmetric_from: Horizon, hours, from which the quantiles are drawn towards symmetric ones: a year holds
            few independent days, and its drift is not the next year's.
        symmetry: How far, from 0 (as found) to 1 (symmetric).
    """

    symmetric_from: int = Field(ge=1)
    symmetry: float = Field(ge=0, le=1)

    def table(self, ratios: NDArray[np.floating], levels: tuple[float, ...]) -> NDArray[np.float64]:
        """Quantiles of returns over their forecast volatility, the median at 0, ``[horizon, level]``.

        Args:
            ratios: ``[window, horizon]``.
            levels: ``[level]``.
        """
        found = hold_median(np.quantile(ratios, levels, axis=0).T, levels)
        late = np.arange(1, len(found) + 1) >= self.symmetric_from
        share = self.symmetry * late[:, None]
        table: NDArray[np.float64] = (1 - share) * found + share * symmetric_quantiles(ratios, levels)
        return table

    def fit_har(self, windows: Windows, levels: tuple[float, ...]) -> FittedHar:
        """Fit the volatility, then read the quantiles off what it leaves over."""
        line = fit_line(last_rows(windows), log_volatility(windows))
        sigma = np.exp(line.log_sigma(last_rows(windows)))
        table = self.table(windows.targets() / sigma, levels)
        loss = pinball(windows.targets(), sigma[:, :, None] * table, levels).mean()
        return FittedHar(line.single(), table.astype(np.float32), self.lookback, loss_history([float(loss)]))


class Har(RangeArchitecture):
    """Heterogeneous autoregression of volatility, for all horizons in one least-squares fit.

    The target at horizon h is the log of the root of the summed squared hourly ranges of the next h hours, of which
    none is taken to be still. The quantiles are those of the returns over the forecast volatility, with the median held
    at the last close.
    """

    feature_set: Literal["har"] = "har"

    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedHar:  # noqa: ARG002
        """Fit on the training windows; see ``RangeArchitecture.fit_har``."""
        return self.fit_har(training_windows(parts), settings.levels)


def last_rows(windows: Windows) -> NDArray[np.float64]:
    """What HAR-V sees, the first features of the last candle seen, ``[window, feature]``."""
    seen = sum(column in COLUMNS for column in windows.columns)
    return windows.features[windows.origins, :seen].astype(np.float64)


def log_volatility(windows: Windows) -> NDArray[np.float64]:
    """Log of the root of the summed squared ranges of the next 1 to ``horizon`` hours, ``[window, horizon]``.

    A little of these windows' mean sum is added to each: where prices move in coarse steps, most hours have no range,
    and least squares would forecast how many of them there are (docs/adr/0015).
    """
    ahead = windows.origins[:, None] + np.arange(1, windows.horizon + 1)
    log_ranges = windows.features[:, windows.columns.index(RANGE)].astype(np.float64)[ahead]
    variance = np.exp(2 * log_ranges).cumsum(axis=1)
    target: NDArray[np.float64] = np.log(variance + STILLNESS * variance.mean(axis=0)) / 2
    return target


def fit_line(inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> Line:
    """Least squares for all targets at once.

    The inputs are centred and scaled, and the shortest of the best solutions is taken: an input that never changed,
    or repeats another, does no harm.

    Args:
        inputs: ``[window, feature]``.
        targets: ``[window, horizon]``.
    """
    centre, spread = inputs.mean(axis=0), inputs.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    bias = targets.mean(axis=0)
    # Features are of single precision: smaller singular values are what rounding has left of repeated inputs.
    weights, *_ = np.linalg.lstsq((inputs - centre) / scale, targets - bias, rcond=1e-6)
    fitted = (inputs - centre) / scale @ weights + bias
    lowest, highest = fitted.min(axis=0) - MARGIN, fitted.max(axis=0) + MARGIN
    return Line(centre, weights / scale[:, None], bias, lowest, highest)


@dataclass(frozen=True)
class Line:
    """A linear forecast of log volatility, kept near what was seen in the fit.

    Attributes:
        centre: ``[feature]``, taken off before the product, so that 32 bits suffice.
        weights: ``[feature, horizon]``.
        bias: ``[horizon]``.
        lowest: ``[horizon]``.
        highest: ``[horizon]``.
    """

    centre: NDArray[np.floating]
    weights: NDArray[np.floating]
    bias: NDArray[np.floating]
    lowest: NDArray[np.floating]
    highest: NDArray[np.floating]

    def log_sigma(self, inputs: NDArray[np.floating]) -> NDArray[np.floating]:
        """Log volatility of the return over each horizon, ``[window, horizon]`` from ``[window, feature]``."""
        forecast = (inputs - self.centre) @ self.weights + self.bias
        bounded: NDArray[np.floating] = np.clip(forecast, self.lowest, self.highest)
        return bounded

    def single(self) -> Line:
        """The same in single precision."""
        arrays = (self.centre, self.weights, self.bias, self.lowest, self.highest)
        return Line(*(values.astype(np.float32) for values in arrays))


@dataclass(frozen=True)
class FittedHar:
    """A line and a table.

    Attributes:
        line: Log volatility from the last candle's features, single precision.
        table: Quantiles of the standardised returns, ``[horizon, level]``.
        lookback: Candles that it is given; it looks at the last.
        history: One row: the fit has one step.
    """

    line: Line
    table: NDArray[np.float32]
    lookback: int
    history: pd.DataFrame

    def quantiles(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Volatility times table; see ``FittedModel``."""
        sigma = np.exp(self.line.log_sigma(inputs[:, -1]))
        quantiles: NDArray[np.float32] = sigma[:, :, None] * self.table
        return quantiles

    def to_onnx(self) -> bytes:
        """The same operations as a graph."""
        from onnx.helper import make_node

        line, features = self.line, len(self.line.centre)
        constants = {
            "last": np.array(-1),
            "centre": line.centre,
            "weights": line.weights,
            "bias": line.bias,
            "lowest": line.lowest,
            "highest": line.highest,
            "last_axis": np.array([2]),
            "table": self.table[None],
        }
        nodes = [
            make_node("Gather", [INPUT, "last"], ["newest"], axis=1),
            make_node("Sub", ["newest", "centre"], ["centred"]),
            make_node("MatMul", ["centred", "weights"], ["product"]),
            make_node("Add", ["product", "bias"], ["forecast"]),
            make_node("Max", ["forecast", "lowest"], ["above"]),
            make_node("Min", ["above", "highest"], ["log_sigma"]),
            make_node("Exp", ["log_sigma"], ["sigma"]),
            make_node("Unsqueeze", ["sigma", "last_axis"], ["scale"]),
            make_node("Mul", ["scale", "table"], [OUTPUT]),
        ]
        return serialise("har", nodes, constants, ((self.lookback, features), self.table.shape))
