"""What an architecture sees of a pair's candles, cut in three: the same for training, evaluating and converting."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from make_us_rich.domain.forecast import HORIZON
from make_us_rich.features.split import Parts, Split, split_windows
from make_us_rich.features.windows import make_windows
from make_us_rich.models.interface import Architecture

Features = Mapping[str, Callable[[], pd.DataFrame]]
"""Feature set to a function that loads its frame, one row a candle: Kedro's lazy partitions."""


def cut_parts(architecture: Architecture, features: Features, klines: pd.DataFrame, split: dict[str, Any]) -> Parts:
    """The windows of an architecture by part.

    Args:
        architecture: Says which features, and how far back.
        features: Of the pair.
        klines: Clean candles that contain the features' rows.
        split: Where the rows are cut; the record that ``Split`` reads.

    Raises:
        DataError: Features, candles and split are not of the same run.
    """
    windows = make_windows(features[architecture.feature_set](), klines, architecture.lookback, HORIZON)
    return split_windows(windows, Split.model_validate(split))
