"""A simulated market with a crash: for two days the price moves five times as far."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from make_us_rich.domain.klines import PRICE_COLUMNS, to_ms
from make_us_rich.klines.frame import to_klines
from make_us_rich.replay import FolderMarket, SimulatedMarket

SYMBOL = "BTCUSDT"
TIMES = 5.0


def crashing_market(folder: Path, span: tuple[datetime, datetime], crash: tuple[datetime, datetime]) -> FolderMarket:
    """Candles of the simulated market in a folder, those of the crash stretched.

    Args:
        folder: Where the kline file is written.
        span: First open time and end, UTC.
        crash: The same of the crash.
    """
    series = SimulatedMarket(seed=7).series(SYMBOL, to_ms(span[1]))
    if series is None:
        raise AssertionError(SYMBOL)
    first, last = ((to_ms(moment) - series.opens[0]) // series.step for moment in span)
    klines = to_klines([json.loads(row) for row in series.rows[first:last]], SYMBOL)
    stretched = stretch(klines, crash)
    times = {name: stretched[name].astype("int64") for name in ("timestamp", "close_time")}
    stretched.assign(**times).to_csv(folder / f"{SYMBOL}-1h.csv", index=False, header=False, float_format="%.8f")
    return FolderMarket(folder)


def stretch(klines: pd.DataFrame, crash: tuple[datetime, datetime], times: float = TIMES) -> pd.DataFrame:
    """The same candles with every move within a span so many times as far; later prices follow on.

    Args:
        klines: Candles, each opening where the one before has closed.
        crash: First open time and end, UTC.
        times: How many times.
    """
    logs = np.log(klines[list(PRICE_COLUMNS)].to_numpy())
    before = np.concatenate([logs[:1, 0], logs[:-1, 3]])
    within = klines["timestamp"].between(*crash, inclusive="left").to_numpy()
    moves = (logs - before[:, None]) * np.where(within, times, 1.0)[:, None]
    starts = before[0] + np.concatenate([[0.0], np.cumsum(moves[:-1, 3])])
    prices = np.round(np.exp(starts[:, None] + moves), 8)
    return klines.assign(**dict(zip(PRICE_COLUMNS, prices.T, strict=True)))
