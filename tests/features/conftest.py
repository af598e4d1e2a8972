"""Synthetic candles for the feature tests."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.klines import KLINE_DTYPES

MakeKlines = Callable[..., pd.DataFrame]


def build_klines(rows: int, seed: int = 0, gaps: Sequence[int] = (), start: str = "2023-12-28") -> pd.DataFrame:
    """Random-walk candles; hours are missing before each row in ``gaps``, and some hours have no trade."""
    rng = np.random.default_rng(seed)
    hours = np.arange(rows) + 3 * np.isin(np.arange(rows), gaps).cumsum()
    opened = pd.Timestamp(start, tz="UTC") + pd.to_timedelta(hours, unit="h")
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, rows)))
    opening = close * np.exp(rng.normal(0, 0.003, rows))
    spread = np.exp(rng.exponential(0.004, rows))
    volume = rng.exponential(50, rows) * (rng.random(rows) > 0.05)
    frame = pd.DataFrame(
        {
            "timestamp": opened,
            "open": opening,
            "high": np.maximum(opening, close) * spread,
            "low": np.minimum(opening, close) / spread,
            "close": close,
            "volume": volume,
            "close_time": opened + pd.Timedelta("59min 59.999s"),
            "quote_av": volume * close,
            "trades": rng.integers(1, 1000, rows) * (volume > 0),
            "tb_base_av": volume * rng.random(rows),
            "tb_quote_av": volume * close / 2,
            "ignore": 0.0,
        }
    )
    return frame.astype(KLINE_DTYPES)


@pytest.fixture(scope="session")
def make_klines() -> MakeKlines:
    return build_klines
