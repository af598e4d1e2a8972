"""The baseline: the last close, EWMA volatility, and empirical quantiles of standardised returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from make_us_rich.backtest.calibration import Quantiles
from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.models.base import Architecture, FitSettings, FittedModel, Scaler, loss_history
from make_us_rich.models.closed_form import (
    SCALED_TABLES,
    build_onnx,
    hold_median,
    mean_pinball,
    quantile_tables,
    row_quantiles,
    scaled_tables,
    table_constants,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from make_us_rich.features.split import Parts
    from make_us_rich.features.windows import Windows

FLOOR = 1e-6
"""Smallest hourly volatility (log return), for a market that did not move during the whole lookback."""


class Baseline(Architecture):
    """Persistence with EWMA volatility, the reference of every score.

    The volatility is RiskMetrics' exponentially weighted moving average (J.P. Morgan, 1996) of squared hourly log
    returns, cut off at the lookback. Each horizon has the decay with the lowest pinball loss on the training windows
    (docs/adr/0015), for highs and lows the same as for closes. The median is the last close.

    Attributes:
        decays: Candidates for the decay, each in (0, 1).
    """

    feature_set: Literal["returns"] = "returns"
    decays: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(min_length=1)

    def fit(
        self,
        parts: Parts,
        scaler: Scaler,  # noqa: ARG002
        settings: FitSettings,
        previous: FittedModel | None = None,  # noqa: ARG002
    ) -> FittedBaseline:
        """Choose the decays, and take the quantiles of the standardised returns from the training windows."""
        windows = parts.train_validation()
        targets = windows.all_targets()
        weights = np.stack([ewma_weights(decay, self.lookback) for decay in self.decays], axis=1)
        sigmas = np.stack([ewma_volatility(windows, each) for each in weights.T], axis=1)
        closes = np.ascontiguousarray(targets["close"].T)
        losses = np.stack([_losses(closes, sigma) for sigma in sigmas.T])
        best = losses.argmin(axis=0)
        sigma = sigmas[:, best]
        tables = quantile_tables({target: returns / sigma for target, returns in targets.items()}, settings.levels)
        return FittedBaseline(
            weights=weights[:, best].astype(np.float32),
            column=windows.columns.index("log_return"),
            tables={target: table.astype(np.float32) for target, table in tables.items()},
            history=loss_history(losses.mean(axis=1).tolist()),
        )


def _losses(targets: NDArray[np.float64], sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean pinball loss of a volatility, ``[window]``, with the quantiles that it gives, ``[horizon]``."""
    table = hold_median(row_quantiles(targets / sigma, QUANTILE_LEVELS), QUANTILE_LEVELS)
    mean: NDArray[np.float64] = np.mean(mean_pinball(targets, sigma, table, QUANTILE_LEVELS), axis=0)
    return mean


def ewma_weights(decay: float, lookback: int) -> NDArray[np.float64]:
    """Weights ``decay**k`` of the squared return ``k`` hours ago, oldest first, normalised to a sum of 1."""
    weights = decay ** np.arange(lookback - 1, -1, -1.0)
    normalised: NDArray[np.float64] = weights / weights.sum()
    return normalised


def ewma_volatility(windows: Windows, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root of the weighted mean of squared log returns at each origin, log return an hour, at least ``FLOOR``.

    Computed once over all rows, as a convolution, because the windows overlap. ``[window]``.
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
        tables: Quantiles of the standardised returns by target, ``[horizon, level]``.
        history: One row for each candidate decay.
    """

    weights: NDArray[np.float32]
    column: int
    tables: dict[str, NDArray[np.float32]]
    history: pd.DataFrame

    def quantiles(self, inputs: NDArray[np.float32]) -> Quantiles:
        """Volatility times tables; see ``FittedModel``."""
        variance = inputs[:, :, self.column] ** 2 @ self.weights
        return scaled_tables(np.maximum(np.sqrt(variance), np.float32(FLOOR)), self.tables)

    def to_onnx(self) -> bytes:
        """The same operations as a graph."""
        formula = f"""
            returns = Gather <axis = 2> (features, column)
            squares = Mul (returns, returns)
            variance = MatMul (squares, weights)
            root = Sqrt (variance)
            sigma = Max (root, floor)
            {SCALED_TABLES}
        """
        constants = {
            "column": np.array(self.column),
            "weights": self.weights,
            "floor": np.array([FLOOR], dtype=np.float32),
            **table_constants(self.tables),
        }
        shapes = (len(self.weights), "feature"), self.tables["close"].shape
        return bytes(build_onnx("baseline", formula, constants, shapes).SerializeToString())
