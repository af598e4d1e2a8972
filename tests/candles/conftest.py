"""Made-up candles, one fault at a time."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from make_us_rich.candles.frame import to_klines

HOUR_MS = 3_600_000
START = datetime(2025, 3, 1, tzinfo=UTC)
START_MS = 1_740_787_200_000


def candle(hour: int) -> list[Any]:
    """A sound candle, as the exchange sends it; prices differ from hour to hour."""
    opened, price = START_MS + hour * HOUR_MS, 100 + hour % 7
    prices = [f"{price}.0", f"{price + 2}.0", f"{price - 2}.0", f"{price + 1}.0"]
    return [opened, *prices, "5.5", opened + HOUR_MS - 1, "550.0", 42, "2.5", "250.0", "0"]


@pytest.fixture
def hours() -> Callable[[int], pd.DataFrame]:
    """So many sound candles in a row, from 2025-03-01 00:00 UTC."""
    return lambda number: to_klines([candle(hour) for hour in range(number)], "BTCUSDT")


@pytest.fixture
def row() -> Callable[[int], list[Any]]:
    """The row of one hour, as the exchange sends it."""
    return candle
