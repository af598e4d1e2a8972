"""The feature set of the networks: what HAR-V sees, and the hour itself in units of its week."""

import numpy as np
import pandas as pd

from make_us_rich.features import har_week
from make_us_rich.features.columns import Column, column_of

COLUMNS: tuple[str, ...] = (*har_week.COLUMNS, "scaled_return", "relative_range")
WARMUP = har_week.WARMUP


def paths(klines: pd.DataFrame) -> dict[str, Column]:
    """The columns of ``har_week``, and two of which a sequence can be read, one value a candle.

    - ``scaled_return``: log(close / close of the hour before), in units of the week's mean range.
    - ``relative_range``: log range of the hour less the week's mean log range.
    """
    seen = har_week.har_week(klines)
    hourly_return = np.diff(np.log(column_of(klines, "close")), prepend=np.nan)
    week = seen["log_range_168h"]
    return {
        **seen,
        "scaled_return": hourly_return / np.exp(week),
        "relative_range": seen["log_range_1h"] - week,
    }
