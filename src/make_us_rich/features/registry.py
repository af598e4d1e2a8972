"""The feature sets by name, and the one function that computes them for training and for serving."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from make_us_rich.domain.errors import ParameterError
from make_us_rich.features.base import FeatureSet
from make_us_rich.features.calendar_ohlc import CALENDAR_OHLC
from make_us_rich.features.har import HAR, HAR_SEQUENCE
from make_us_rich.features.returns import RETURNS

FEATURE_SETS: dict[str, FeatureSet] = {
    feature_set.name: feature_set for feature_set in (CALENDAR_OHLC, RETURNS, HAR, HAR_SEQUENCE)
}

FeatureFrames = Mapping[str, Callable[[], pd.DataFrame]]
"""Feature set to a function that loads its frame, one row a candle: Kedro's lazy partitions."""


def find_feature_set(name: str) -> FeatureSet:
    """The feature set of a name.

    Raises:
        ParameterError: There is none of this name.
    """
    if name not in FEATURE_SETS:
        raise ParameterError(f"feature set {name!r} is unknown", f"choose one of {', '.join(FEATURE_SETS)}")
    return FEATURE_SETS[name]


def compute_features(name: str, klines: pd.DataFrame) -> pd.DataFrame:
    """Compute a feature set of clean, ascending candles; a gap stays a gap.

    Returns:
        float64 ``[row, feature]``, one row a candle, indexed by ``timestamp`` (open time, UTC). NaN during the
        warm-up, which starts again after each gap.

    Raises:
        ParameterError: There is no feature set of this name.
    """
    feature_set = find_feature_set(name)
    computed = feature_set.compute(klines)
    values = np.empty((len(klines), len(feature_set.columns)))
    for position, column in enumerate(feature_set.columns):
        values[:, position] = computed[column]
    index = pd.DatetimeIndex(klines["timestamp"], name="timestamp")
    return pd.DataFrame(values, index=index, columns=list(feature_set.columns), copy=False)
