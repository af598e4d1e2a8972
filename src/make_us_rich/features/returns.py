"""The baseline's feature set: returns, realised volatility, time of the week and activity."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from make_us_rich.features.base import (
    FeatureSet,
    column_of,
    hourly_range,
    naive_utc,
    position_in_run,
    trailing_mean,
)

HOURS: tuple[int, ...] = (1, 24, 168)
"""Spans of realised range and volatility: an hour, a day, a week."""
COLUMNS: tuple[str, ...] = (
    "log_return",
    *(f"range_{hours}h" for hours in HOURS),
    *(f"volatility_{hours}h" for hours in HOURS),
    "hour_of_day",
    "day_of_week",
    "log_volume",
    "log_trades",
    "taker_imbalance",
)


def returns(klines: pd.DataFrame) -> dict[str, ArrayLike]:
    """Returns, realised range and volatility, time of the week, and activity, one value a candle.

    - ``log_return``: log(close / close of the hour before).
    - ``range_{1,24,168}h``: square root of the mean of log(high / low)^2 / (4 log 2) over the last hours, an
      hourly volatility (Parkinson 1980, "The Extreme Value Method for Estimating the Variance of the Rate of
      Return", Journal of Business 53).
    - ``volatility_{1,24,168}h``: square root of the mean of the squared log returns over the last hours
      (realised volatility, Andersen and Bollerslev 1998, International Economic Review 39).
    - ``hour_of_day`` 0 to 23 and ``day_of_week`` 0 on Monday to 6, of the open time in UTC.
    - ``log_volume`` and ``log_trades``: log(1 + base currency traded), log(1 + number of trades).
    - ``taker_imbalance``: 2 x taker-buy volume / volume - 1, from -1 (takers only sold) to 1 (they only
      bought); 0 without a trade.
    """
    opened = klines["timestamp"].dt
    position = position_in_run(naive_utc(klines["timestamp"]))
    close, ranges = column_of(klines, "close"), hourly_range(klines)
    log_return = np.where(position > 0, np.log(close / np.roll(close, 1)), np.nan)
    volume = column_of(klines, "volume")
    half = np.full(len(volume), 0.5)
    taker_share = np.divide(column_of(klines, "tb_base_av"), volume, out=half, where=volume > 0)
    # Root mean squares, NaN until the run has as many hours.
    over_spans = {
        f"{name}_{hours}h": np.where(position >= hours - 1, np.sqrt(trailing_mean(values**2, hours)), np.nan)
        for name, values in (("range", ranges), ("volatility", log_return))
        for hours in HOURS
    }
    return {
        "log_return": log_return,
        **over_spans,
        "hour_of_day": opened.hour,
        "day_of_week": opened.day_of_week,
        "log_volume": np.log1p(klines["volume"]),
        "log_trades": np.log1p(klines["trades"]),
        "taker_imbalance": 2 * taker_share - 1,
    }


# A week of returns needs one candle more than a week.
RETURNS = FeatureSet("returns", COLUMNS, warmup=max(HOURS), compute=returns)
