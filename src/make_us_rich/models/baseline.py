"""The baseline: the last close, EWMA volatility, and empirical quantiles of standardised returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from make_us_rich.domain.onnx_contract import INPUT, OUTPUT
from make_us_rich.models.closed_form import hold_median, loss_history, serialise, training_windows
from make_us_rich.models.interface import Architecture, FitSettings, Scaler

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from make_us_rich.features.split import Parts
    from make_us_rich.features.windows import Windows

FLOOR = 1e-6
"""Smallest hourly volatility (log return): a market that stood still for the whole lookback has no other scale."""


class Baseline(Architecture):
    """Persistence with EWMA volatility, the reference that everything else is held against.

    The volatility is RiskMetrics' exponentially weighted moving average (J.P. Morgan, 1996) of squared hourly log
    returns, cut off at the lookback; the decay is, for each horizon, the one with the lowest pinball loss on the
    training windows: an hour ahead the last hours say more than a day ahead (docs/adr/0015). The median is held at the
    last close.

    Attributes:
        decays: Candidates for the decay, each in (0, 1).
    """

    feature_set: Literal["returns"] = "returns"
    decays: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(min_length=1)

    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedBaseline:  # noqa: ARG002
        """Choose the decays, and read the quantiles of the standardised returns off the training windows."""
        windows = training_windows(parts)
        targets = windows.targets()
        fits = [self._standardise(windows, targets, decay, settings.levels) for decay in self.decays]
        losses = np.stack([fit.losses for fit in fits])
        best = [fits[index] for index in losses.argmin(axis=0)]
        return FittedBaseline(
            weights=np.stack([fit.weights for fit in best], axis=1).astype(np.float32),
            column=windows.columns.index("log_return"),
            table=np.stack([fit.table[ahead] for ahead, fit in enumerate(best)]).astype(np.float32),
            history=loss_history(losses.mean(axis=1).tolist()),
        )

    def _standardise(
        self, windows: Windows, targets: NDArray[np.float64], decay: float, levels: tuple[float, ...]
    ) -> _DecayFit:
        weights = ewma_weights(decay, self.lookback)
        sigma = volatility(windows, weights)[:, None]
        table = np.quantile(targets / sigma, levels, axis=0).T
        table = hold_median(table, levels)
        # Level by level: all at once is the same and takes four times as long, for want of room in the cache.
        losses = [_pinball(targets, sigma * quantile, level) for quantile, level in zip(table.T, levels, strict=True)]
        return _DecayFit(weights, table, np.mean(losses, axis=0))


def _pinball(targets: NDArray[np.float64], quantiles: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """``scores.pinball`` of one level, averaged over the windows: the same to the last bit in half the time.

    Args:
        targets: ``[window, horizon]``.
        quantiles: Likewise; overwritten, since 560 pairs of such arrays are compared in a run.
        level: Of the quantiles.
    """
    errors = np.subtract(targets, quantiles, out=quantiles)
    below = (level - 1) * errors
    errors *= level
    mean: NDArray[np.float64] = np.maximum(errors, below, out=errors).mean(axis=0)
    return mean


@dataclass(frozen=True)
class _DecayFit:
    weights: NDArray[np.float64]
    table: NDArray[np.float64]
    losses: NDArray[np.float64]


def ewma_weights(decay: float, lookback: int) -> NDArray[np.float64]:
    """Weights ``decay**k`` of the squared return ``k`` hours ago, oldest first, adding up to one; ``[lookback]``."""
    weights = decay ** np.arange(lookback - 1, -1, -1.0)
    share: NDArray[np.float64] = weights / weights.sum()
    return share


def volatility(windows: Windows, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root of the weighted mean of squared log returns at each origin, log return an hour, at least ``FLOOR``.

    Computed once over all rows, as a convolution: the windows overlap. ``[window]``.
    """
    returns = windows.features[:, windows.columns.index("log_return")].astype(np.float64)
    variance = np.convolve(np.nan_to_num(returns) ** 2, weights[::-1])[windows.origins]
    return np.maximum(np.sqrt(variance), FLOOR)


@dataclass(frozen=True)
class FittedBaseline:
    """Weights of the squared returns and a table of standardised quantiles.

    Attributes:
        weights: By horizon, oldest first, ``[lookback, horizon]``.
        column: Index of ``log_return`` among the features.
        table: Quantiles of the standardised returns, ``[horizon, level]``.
        history: One row a decay tried.
    """

    weights: NDArray[np.float32]
    column: int
    table: NDArray[np.float32]
    history: pd.DataFrame

    def quantiles(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Volatility times table; see ``FittedModel``."""
        variance = inputs[:, :, self.column] ** 2 @ self.weights
        sigma = np.maximum(np.sqrt(variance), np.float32(FLOOR))
        quantiles: NDArray[np.float32] = sigma[:, :, None] * self.table
        return quantiles

    def to_onnx(self) -> bytes:
        """The same operations as a graph."""
        from onnx.helper import make_node

        constants = {
            "column": np.array(self.column),
            "weights": self.weights,
            "floor": np.array([FLOOR], dtype=np.float32),
            "table": self.table[None],
            "last_axis": np.array([2]),
        }
        nodes = [
            make_node("Gather", [INPUT, "column"], ["returns"], axis=2),
            make_node("Mul", ["returns", "returns"], ["squares"]),
            make_node("MatMul", ["squares", "weights"], ["variance"]),
            make_node("Sqrt", ["variance"], ["volatility"]),
            make_node("Max", ["volatility", "floor"], ["floored"]),
            make_node("Unsqueeze", ["floored", "last_axis"], ["scale"]),
            make_node("Mul", ["scale", "table"], [OUTPUT]),
        ]
        return serialise("baseline", nodes, constants, ((len(self.weights), "feature"), self.table.shape))
