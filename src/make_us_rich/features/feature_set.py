"""The feature sets by name, and the one function that computes them for training and for serving."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from make_us_rich.domain.errors import ParameterError
from make_us_rich.features import calendar_ohlc, har, har_week, paths, returns


@dataclass(frozen=True)
class FeatureSet:
    """Features of each candle, from that candle and those before it.

    Attributes:
        name: As in the configuration and in the manifest.
        columns: Names of the features, in the order of a model's input.
        warmup: Rows of a run of contiguous hours that are not complete. The last ``n`` rows need the candles
            of the last ``warmup + n`` hours, and no more.
        compute: Candles to one value a candle for each column, in any order.
    """

    name: str
    columns: tuple[str, ...]
    warmup: int
    compute: Callable[[pd.DataFrame], Mapping[str, ArrayLike]]

    def depth(self, lookback: int) -> int:
        """Candles in a row that an input of ``lookback`` complete rows takes, warm-up included."""
        return lookback + self.warmup


FEATURE_SETS: dict[str, FeatureSet] = {
    feature_set.name: feature_set
    for feature_set in (
        FeatureSet("calendar_ohlc", calendar_ohlc.COLUMNS, calendar_ohlc.WARMUP, calendar_ohlc.calendar_ohlc),
        FeatureSet("returns", returns.COLUMNS, returns.WARMUP, returns.returns),
        FeatureSet("har", har.COLUMNS, har.WARMUP, har.har),
        FeatureSet("har_week", har_week.COLUMNS, har_week.WARMUP, har_week.har_week),
        FeatureSet("paths", paths.COLUMNS, paths.WARMUP, paths.paths),
    )
}


def find_feature_set(name: str) -> FeatureSet:
    """The feature set of a name.

    Raises:
        ParameterError: There is none of this name.
    """
    if name not in FEATURE_SETS:
        raise ParameterError(f"there is no feature set {name!r}; choose one of {', '.join(FEATURE_SETS)}")
    return FEATURE_SETS[name]


def compute_features(name: str, klines: pd.DataFrame) -> pd.DataFrame:
    """Compute a feature set, one row a candle.

    Args:
        name: A key of ``FEATURE_SETS``.
        klines: Clean candles, ascending; a gap stays a gap.

    Returns:
        float64 ``[row, feature]`` indexed by ``timestamp`` (open time, UTC). NaN where the warm-up, which
        begins anew after each gap, is not complete.

    Raises:
        ParameterError: There is no feature set of this name.
    """
    feature_set = find_feature_set(name)
    computed = feature_set.compute(klines)
    values = [np.asarray(computed[column], np.float64) for column in feature_set.columns]
    index = pd.DatetimeIndex(klines["timestamp"], name="timestamp")
    return pd.DataFrame(np.stack(values, axis=1), index=index, columns=list(feature_set.columns))
