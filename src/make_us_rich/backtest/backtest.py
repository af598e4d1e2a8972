"""A walk-forward backtest: what several models forecast on the same out-of-sample hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from make_us_rich.backtest.calibration import PastForecasts, TargetQuantiles
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS, TARGETS, scored_positions

CALIBRATION_FOLD = 0
"""Number of the fold that only calibrates; the test folds count from 1."""


@dataclass(frozen=True)
class Backtest:
    """Forecasts of one target by several models at the same origins, in order of time.

    Attributes:
        opens: Open time of the last candle seen, UTC, ``datetime64[ms]``, ``[window]``.
        closes: Its close, in quote currency, ``[window]``.
        targets: Log returns that came true, ``[window, horizon]``.
        folds: Number of the fold: ``CALIBRATION_FOLD``, or 1 and on, ``[window]``.
        naive_errors: Mean absolute hourly change of the close in the training rows, quote currency, ``[window]``.
        levels: Levels of the quantiles, ascending, ``[level]``.
        quantiles: By model, log returns, ``[window, horizon, level]``.
        refused: Models without forecasts, and why.
        candidates: The record of the candidates that were fitted; empty where that does not matter.
        target: ``close``, ``high`` or ``low``.
    """

    opens: NDArray[np.datetime64]
    closes: NDArray[np.float64]
    targets: NDArray[np.float64]
    folds: NDArray[np.intp]
    naive_errors: NDArray[np.float64]
    levels: tuple[float, ...]
    quantiles: Mapping[str, TargetQuantiles]
    refused: Mapping[str, str]
    candidates: Mapping[str, Any] = field(default_factory=dict)
    target: str = "close"

    def __len__(self) -> int:
        return len(self.opens)

    def at(self, chosen: NDArray[np.bool_] | slice) -> Backtest:
        """The chosen windows of every model: a mask, ``[window]``, or a slice, which copies nothing."""
        arrays = {name: getattr(self, name)[chosen] for name in ("opens", "closes", "targets", "folds", "naive_errors")}
        quantiles = {name: values[chosen] for name, values in self.quantiles.items()}
        return replace(self, quantiles=quantiles, **arrays)

    def test_folds(self) -> Backtest:
        """Without the calibration fold, which goes before them; nothing is copied."""
        return self.at(slice(self.first_test, None))

    @property
    def first_test(self) -> int:
        """Position of the first window of the test folds."""
        return int(np.searchsorted(self.folds, CALIBRATION_FOLD, side="right"))

    def scored(self) -> Backtest:
        """The same at the levels that are scored."""
        at = scored_positions(self.levels)
        quantiles = {name: values[:, :, at] for name, values in self.quantiles.items()}
        return replace(self, levels=QUANTILE_LEVELS, quantiles=quantiles)

    def with_mean(self, members: Sequence[str]) -> Backtest:
        """With the mean of several models' forecasts, quantile by quantile, under their names joined by a plus."""
        mean = mean_quantiles([self.quantiles[name] for name in members])
        return replace(self, quantiles={**self.quantiles, "+".join(members): mean})

    def past(self, name: str) -> PastForecasts:
        """One model's forecasts, for calibration."""
        return PastForecasts(self.opens, self.targets, self.quantiles[name], self.levels, self.target)


Backtests = dict[str, Backtest]
"""By target."""


def empty_backtests(levels: tuple[float, ...], refused: Mapping[str, str], candidates: Mapping[str, Any]) -> Backtests:
    """Backtests without a window, where there are too few candles for the folds; ``refused`` says why, by model."""
    nothing = np.empty(0)
    opens, folds = nothing.astype("datetime64[ms]"), nothing.astype(np.intp)
    empty = Backtest(opens, nothing, np.empty((0, HORIZON)), folds, nothing, levels, {}, refused, candidates)
    return {target: replace(empty, target=target) for target in TARGETS}


def mean_quantiles(quantiles: Sequence[TargetQuantiles]) -> TargetQuantiles:
    """Mean of several forecasts, quantile by quantile, ``[window, horizon, level]``."""
    if len(quantiles) == 1:
        return quantiles[0]
    mean: NDArray[np.float64] = np.mean(quantiles, axis=0, dtype=np.float64)
    return mean.astype(np.float32)
