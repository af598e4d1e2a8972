"""Made-up candles, one fault at a time."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from make_us_rich.klines.frame import to_klines

HOUR_MS = 3_600_000
START_MS = 1_740_787_200_000


@pytest.fixture
def hours() -> Callable[[int], pd.DataFrame]:
    """So many sound candles in a row, from 2025-03-01 00:00 UTC; prices differ from hour to hour."""

    def candle(hour: int) -> list[Any]:
        opened, price = START_MS + hour * HOUR_MS, 100 + hour % 7
        prices = [f"{price}.0", f"{price + 2}.0", f"{price - 2}.0", f"{price + 1}.0"]
        return [opened, *prices, "5.5", opened + HOUR_MS - 1, "550.0", 42, "2.5", "250.0", "0"]

    return lambda number: to_klines([candle(hour) for hour in range(number)], "BTCUSDT")
