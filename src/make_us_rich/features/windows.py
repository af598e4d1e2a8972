"""Forecast windows: what a model sees and what comes true, as views over one feature frame."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from make_us_rich.domain.errors import DataError, ParameterError
from make_us_rich.domain.forecast import TARGETS
from make_us_rich.features.base import naive_utc, position_in_run

Rows = NDArray[np.intp]
"""Row indices into a feature frame."""


@dataclass(frozen=True)
class Windows:
    """Forecast origins over one feature frame; inputs are views, nothing is copied.

    An origin is the row of the last candle that a model sees. The forecast is issued when that candle closes;
    the input is the ``lookback`` rows up to and including the origin, the targets are the closes of the
    ``horizon`` rows after it. All of them are contiguous hours.

    Attributes:
        features: Unscaled, ``[row, feature]``.
        prices: By target, close, high or low of each hour, quote currency, ``[row]``.
        timestamps: Open times, UTC, ``datetime64[ms]`` without a zone, ascending, ``[row]``.
        origins: Row index of the last candle seen, ascending, ``[window]``.
        lookback: Rows that a model sees.
        horizon: Hours ahead, 1 to this.
        columns: Names of the features, ``[feature]``.
    """

    features: NDArray[np.float32]
    prices: dict[str, NDArray[np.float64]]
    timestamps: NDArray[np.datetime64]
    origins: Rows
    lookback: int
    horizon: int
    columns: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.origins)

    def inputs(self) -> NDArray[np.float32]:
        """What the model sees, oldest row first, unscaled, ``[window, lookback, feature]``.

        Where the origins are contiguous rows this is a read-only view of ``features`` that takes no memory. Otherwise
        (a gap in between) the windows are copied.
        """
        if len(self) and (np.diff(self.origins) == 1).all():
            rows = self.features[self.origins[0] - self.lookback + 1 : self.origins[-1] + 1]
            view: NDArray[np.float32] = np.moveaxis(sliding_window_view(rows, self.lookback, axis=0), 2, 1)
            return view
        gathered: NDArray[np.float32] = self.features[self.origins[:, None] + np.arange(1 - self.lookback, 1)]
        return gathered

    @property
    def closes(self) -> NDArray[np.float64]:
        """Close of each hour, in quote currency, ``[row]``."""
        return self.prices["close"]

    def targets(self, target: str = "close") -> NDArray[np.float64]:
        """Log returns from the last close seen that came true, ``[window, horizon]``.

        ``close`` is ``log(close[t + h] / close[t])`` for h >= 1; ``high`` is the largest of
        ``log(high[t + i] / close[t])`` over the hours i from 1 to h and 0, ``low`` the smallest of the lows and 0.
        """
        ahead = self.prices[target][self.origins[:, None] + np.arange(1, self.horizon + 1)]
        returns: NDArray[np.float64] = np.log(ahead / self.last_closes()[:, None])
        if target == "high":
            return np.maximum.accumulate(returns, axis=1).clip(min=0)
        return np.minimum.accumulate(returns, axis=1).clip(max=0) if target == "low" else returns

    def all_targets(self) -> dict[str, NDArray[np.float64]]:
        """`targets` of closes, highs and lows."""
        return {target: self.targets(target) for target in TARGETS}

    def last_closes(self) -> NDArray[np.float64]:
        """Close of the last candle seen, in quote currency, ``[window]``."""
        return self.closes[self.origins]

    def at(self, origins: Rows) -> "Windows":
        """Windows at other origins of the same rows; the arrays are shared."""
        return replace(self, origins=origins)

    def newest(self, count: int) -> "Windows":
        """The newest windows, with copies of the rows that they need and of no others."""
        origins = self.origins[-count:]
        first = origins[0] - self.lookback + 1
        rows = slice(first, origins[-1] + self.horizon + 1)
        return replace(
            self,
            features=self.features[rows].copy(),
            prices={target: values[rows].copy() for target, values in self.prices.items()},
            timestamps=self.timestamps[rows].copy(),
            origins=origins - first,
        )


def make_windows(features: pd.DataFrame, klines: pd.DataFrame, lookback: int, horizon: int) -> Windows:
    """A window at every valid origin of a feature frame.

    Args:
        features: One row a candle, indexed by open time (UTC), as ``compute_features`` returns it.
        klines: Candles that contain those rows; earlier and later ones are left out.
        lookback: Rows that a model sees, 1 or more.
        horizon: Hours ahead, 1 or more.

    Raises:
        DataError: A feature row has no candle, or a price is not a positive number.
        ParameterError: The lookback or the horizon is less than 1.
    """
    rows = pd.DatetimeIndex(klines["timestamp"]).get_indexer(pd.DatetimeIndex(features.index))
    if (rows < 0).any():
        missing = features.index[int(np.argmax(rows < 0))]
        raise DataError(
            f"no candle opens at {missing:%Y-%m-%d %H:%M} UTC, yet it has features;"
            " run the preprocessing pipeline again"
        )
    prices = {target: klines[target].to_numpy(np.float64)[rows] for target in TARGETS}
    for target, values in prices.items():
        if not (np.isfinite(values) & (values > 0)).all():
            raise DataError(f"a {target} is not a positive number; run the fetching pipeline again")
    return Windows(
        features=features.to_numpy().astype(np.float32, order="C"),
        prices=prices,
        timestamps=naive_utc(features.index),
        origins=find_origins(features, lookback, horizon),
        lookback=lookback,
        horizon=horizon,
        columns=tuple(features.columns),
    )


def find_origins(features: pd.DataFrame, lookback: int, horizon: int) -> Rows:
    """Rows of a feature frame at which a forecast can be made and scored, ascending, ``[window]``.

    Row ``t`` is one if the rows ``t - lookback + 1`` to ``t + horizon`` are contiguous hours and the features
    of those up to ``t`` are finite. So no window, warm-up or target crosses a gap.

    Raises:
        ParameterError: The lookback or the horizon is less than 1.
    """
    if lookback < 1 or horizon < 1:
        raise ParameterError(f"lookback is {lookback} and horizon {horizon}; set both to 1 or more")
    position, rows = position_in_run(naive_utc(features.index)), np.arange(len(features))
    # How many rows up to and including each one are finite without a break.
    finite = rows - np.maximum.accumulate(np.where(np.isfinite(features.to_numpy()).all(axis=1), -1, rows))
    contiguous = position[horizon:] >= lookback - 1 + horizon
    return rows[: len(contiguous)][contiguous & (finite[: len(contiguous)] >= lookback)]


def input_rows(origins: Rows, lookback: int) -> Rows:
    """Rows that the windows at these origins see as inputs, each once, ascending, ``[row]``."""
    seen = np.zeros(origins.max(initial=-1) + 1, dtype=np.bool_)
    seen[origins[:, None] - np.arange(lookback)] = True
    return np.flatnonzero(seen)
