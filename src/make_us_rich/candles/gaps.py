"""Hours without a usable candle."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from make_us_rich.candles.report import Gap
from make_us_rich.candles.times import milliseconds
from make_us_rich.domain.klines import HOUR_MS
from make_us_rich.domain.times import from_ms


def find_gaps(klines: pd.DataFrame, sent: pd.DataFrame) -> tuple[Gap, ...]:
    """The gaps between clean candles.

    Args:
        klines: Clean candles, sorted, on the hour grid.
        sent: All closed candles that the exchange has sent, clean or not.

    Returns:
        Gaps, ascending. An hour in which any candle of ``sent`` opens is not missing, though unusable.
    """
    hours = milliseconds(klines["timestamp"]) // HOUR_MS
    sent_hours = np.unique(milliseconds(sent["timestamp"]) // HOUR_MS)
    before = np.flatnonzero(np.diff(hours) > 1)
    return tuple(_gap(int(hours[row]) + 1, int(hours[row + 1]), sent_hours) for row in before)


def _gap(start: int, end: int, sent_hours: NDArray[np.int64]) -> Gap:
    low, high = np.searchsorted(sent_hours, [start, end])
    return Gap(
        start=from_ms(start * HOUR_MS),
        end=from_ms(end * HOUR_MS),
        hours=end - start,
        missing=end - start - int(high - low),
    )
