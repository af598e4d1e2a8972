"""The past re-lived: what several models forecast on the same hours, none of which their fits had seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from make_us_rich.domain.forecast import HORIZON
from make_us_rich.evaluation.calibration import PastForecasts, Quantiles

LEAD_IN = 0
"""Number of the fold whose forecasts only calibrate; the folds that are judged count from 1."""


@dataclass(frozen=True)
class Walk:
    """Forecasts of several models at the same origins, in order of time.

    Attributes:
        opens: Open time of the last candle seen, UTC, ``datetime64[ms]``, ``[window]``.
        closes: Its close, in quote currency, ``[window]``.
        targets: Log returns that came true, ``[window, horizon]``.
        folds: Number of the fold; ``LEAD_IN`` or 1 and on, ``[window]``.
        naive_errors: Mean absolute change of the close from hour to hour in the fold's training rows, in quote
            currency, ``[window]``.
        levels: Of the quantiles, ascending, ``[level]``.
        quantiles: By model, log returns, ``[window, horizon, level]``.
        refused: Models that could not be walked to the reason in words.
    """

    opens: NDArray[np.datetime64]
    closes: NDArray[np.float64]
    targets: NDArray[np.float64]
    folds: NDArray[np.intp]
    naive_errors: NDArray[np.float64]
    levels: tuple[float, ...]
    quantiles: Mapping[str, Quantiles]
    refused: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.opens)

    def at(self, chosen: NDArray[np.bool_]) -> Walk:
        """The chosen windows of every model; a mask, ``[window]``."""
        return replace(
            self,
            opens=self.opens[chosen],
            closes=self.closes[chosen],
            targets=self.targets[chosen],
            folds=self.folds[chosen],
            naive_errors=self.naive_errors[chosen],
            quantiles={name: quantiles[chosen] for name, quantiles in self.quantiles.items()},
        )

    def judged(self) -> Walk:
        """Without the lead-in."""
        return self.at(self.folds != LEAD_IN)

    def past(self, name: str) -> PastForecasts:
        """One model's forecasts, for calibration."""
        return PastForecasts(self.opens, self.targets, self.quantiles[name], self.levels)


def no_walk(levels: tuple[float, ...], refused: Mapping[str, str]) -> Walk:
    """Where the candles do not do for the folds.

    Args:
        levels: Of the quantiles.
        refused: Every model to the reason in words.
    """
    nothing = np.empty(0)
    return Walk(
        opens=nothing.astype("datetime64[ms]"),
        closes=nothing,
        targets=np.empty((0, HORIZON)),
        folds=nothing.astype(np.intp),
        naive_errors=nothing,
        levels=levels,
        quantiles={},
        refused=refused,
    )
