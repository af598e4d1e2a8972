"""Whether there are candles enough for a window in every part, and how many it takes."""

from bisect import bisect_left
from math import ceil

import numpy as np
from numpy.typing import NDArray

from make_us_rich.features.hours import follows
from make_us_rich.features.split import Origins, count_test_rows, count_validation

_MORE_THAN_ANY_MARKET_HAS = 1_000_000


def find_lack(origins: Origins, timestamps: NDArray[np.datetime64], needed: int, subject: str) -> str | None:
    """Why a part has no window, in words; None where each has one.

    Args:
        origins: Of each part.
        timestamps: Open times of all rows, UTC, ``datetime64[ms]``, ``[row]``.
        needed: Fewest candles that would do, from ``count_rows_needed``.
        subject: Whose windows, for the message.
    """
    if len(origins.fit) and len(origins.validation) and len(origins.test):
        return None
    gaps = int((~follows(timestamps)).sum()) - 1
    return (
        f"{subject} needs {needed} candles without a gap, and there are {len(timestamps)} with {gaps} gaps;"
        f" set history_days to {ceil(needed / 24)} or more, or shorten its lookback"
    )


def count_rows_needed(depth: int, test_fraction: float, validation_fraction: float, horizon: int) -> int:
    """Fewest candles, without a gap, that give every part a window.

    Args:
        depth: Rows that one input takes, its lookback and the warm-up of its features.
        test_fraction: Share of the rows, between 0 and 1.
        validation_fraction: Share of the training windows, between 0 and 1.
        horizon: Hours ahead, which is also the embargo.
    """

    def suffice(rows: int) -> bool:
        test_rows = count_test_rows(rows, test_fraction)
        training = rows - test_rows - horizon - (depth - 1)
        validation = count_validation(training, validation_fraction)
        return test_rows >= horizon and validation > 0 and training - validation >= horizon

    return bisect_left(range(_MORE_THAN_ANY_MARKET_HAS), True, key=suffice)
