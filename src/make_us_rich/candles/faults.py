"""What can be wrong with a candle, each as a mask over a frame of klines."""

from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from make_us_rich.candles.times import milliseconds
from make_us_rich.domain.klines import HOUR_MS, PRICE_COLUMNS

Mask: TypeAlias = NDArray[np.bool_]
"""``[row]``, true where the fault is."""

_NUMBERS = (*PRICE_COLUMNS, "volume", "quote_av", "tb_base_av", "tb_quote_av")


def not_a_number(klines: pd.DataFrame) -> Mask:
    """A price, volume or time that is missing or infinite."""
    finite = np.isfinite(klines[list(_NUMBERS)].to_numpy()).all(axis=1)
    timed = klines[["timestamp", "close_time"]].notna().to_numpy().all(axis=1)
    return np.asarray(~(finite & timed))


def off_grid(klines: pd.DataFrame) -> Mask:
    """Opened at another moment than a full hour."""
    return np.asarray(milliseconds(klines["timestamp"]) % HOUR_MS != 0)


def non_positive(klines: pd.DataFrame) -> Mask:
    """A price at or below zero, or a volume or number of trades below zero."""
    free = (klines[list(PRICE_COLUMNS)].to_numpy() <= 0).any(axis=1)
    negative = (klines[["volume", "quote_av", "trades"]].to_numpy() < 0).any(axis=1)
    return np.asarray(free | negative)


def inconsistent(klines: pd.DataFrame) -> Mask:
    """``high < low``, or an open or close outside of them."""
    high, low = klines["high"].to_numpy(), klines["low"].to_numpy()
    ends = klines[["open", "close"]].to_numpy()
    return np.asarray((high < low) | (ends > high[:, None]).any(axis=1) | (ends < low[:, None]).any(axis=1))


def odd_close(klines: pd.DataFrame) -> Mask:
    """Closed at another moment than one millisecond before an hour has passed."""
    spans = milliseconds(klines["close_time"]) - milliseconds(klines["timestamp"])
    timed = klines[["timestamp", "close_time"]].notna().to_numpy().all(axis=1)
    return np.asarray((spans != HOUR_MS - 1) & timed)


def no_trade(klines: pd.DataFrame) -> Mask:
    """Nothing was traded."""
    return np.asarray(klines["volume"].to_numpy() == 0)


def frozen(klines: pd.DataFrame, hours: int) -> Mask:
    """Part of ``hours`` or more consecutive hours with identical prices and without any volume.

    Args:
        klines: Sorted by open time, none twice.
        hours: The shortest such run, at least 2.
    """
    if not len(klines):
        return np.zeros(0, dtype=np.bool_)
    prices = klines[list(PRICE_COLUMNS)].to_numpy()
    idle = no_trade(klines)
    repeats = np.zeros(len(klines), dtype=np.bool_)
    repeats[1:] = (prices[1:] == prices[:-1]).all(axis=1) & idle[1:] & idle[:-1]
    repeats[1:] &= np.diff(milliseconds(klines["timestamp"])) == HOUR_MS
    runs = np.cumsum(~repeats) - 1
    return np.asarray(np.bincount(runs)[runs] >= hours)


def unusable(klines: pd.DataFrame) -> Mask:
    """Wrong on its own, whatever its neighbours and the clock say."""
    return not_a_number(klines) | off_grid(klines) | non_positive(klines) | inconsistent(klines)
