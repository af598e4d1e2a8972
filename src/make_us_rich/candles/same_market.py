"""Whether an exchange offers the market that the stored candles are from."""

import pandas as pd

from make_us_rich.candles.faults import unusable
from make_us_rich.domain.errors import DataError

TOLERANCE = 0.001
"""Relative difference of a close up to which an exchange may have corrected it."""


def refuse_other_market(stored: pd.DataFrame, fetched: pd.DataFrame, name: str) -> None:
    """Compare the candles that are both stored and fetched again; a replay and the real market must not mix.

    Args:
        stored: Candles of earlier runs; unusable ones, which are asked for again on purpose, are left out.
        fetched: Candles of this run.
        name: The pair, for the error.

    Raises:
        DataError: A close differs by more than ``TOLERANCE``.
    """
    both = stored[~unusable(stored)].merge(fetched, on="timestamp", suffixes=("_stored", "_fetched"))
    differ = (both["close_fetched"] / both["close_stored"] - 1).abs() > TOLERANCE
    if differ.any():
        odd = both[differ].iloc[0]
        raise DataError(
            f"{name}: the candle of {odd['timestamp']:%Y-%m-%d %H:%M} UTC is stored with a close of"
            f" {odd['close_stored']:.8g}, and the exchange says {odd['close_fetched']:.8g}: it offers another market;"
            f" go back to the exchange_url of before, or delete 01_raw/{name}/klines.parquet from the store"
        )
