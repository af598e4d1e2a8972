"""Whether something computed from candles looks ahead: no other future may change what is said of the past."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from make_us_rich.domain.klines import KLINE_COLUMNS, PRICE_COLUMNS

Compute = Callable[[pd.DataFrame], pd.DataFrame]
"""Candles to a frame of one row a candle."""


@dataclass(frozen=True)
class Future:
    """Candles that differ from the true ones after an origin, and in what."""

    differs_in: str
    klines: pd.DataFrame


def assert_causal(
    compute: Compute, klines: pd.DataFrame, origins: Iterable[int], columns: Iterable[str] = KLINE_COLUMNS
) -> None:
    """Every row up to each origin is the same to the last bit, whatever comes after it: in these columns, or in all."""
    before = compute(klines)
    for origin in origins:
        for future in futures(klines, origin, columns):
            _assert_same(before, compute(future.klines), origin, future.differs_in)


def futures(klines: pd.DataFrame, origin: int, columns: Iterable[str]) -> Iterator[Future]:
    """No candle after the origin, all of them wild, and each of the columns wild by itself."""
    yield Future("there is none", klines.iloc[: origin + 1])
    yield Future("every value", wild_after(klines, origin))
    for column in columns:
        yield Future(column, wild_after(klines, origin, column))


def wild_after(klines: pd.DataFrame, origin: int, *columns: str) -> pd.DataFrame:
    """Valid candles with other values after a row: in these columns, or at ten times the prices in all but the times.

    A changed time moves all later candles behind a gap.
    """
    wild = _wild(klines)
    if not columns:
        columns = tuple(name for name in KLINE_COLUMNS if name not in ("timestamp", "close_time"))
        wild[list(PRICE_COLUMNS)] *= 10
    return klines.assign(**{name: klines[name].where(klines.index <= origin, wild[name]) for name in columns})


def _wild(klines: pd.DataFrame) -> pd.DataFrame:
    """Other values for all columns, each valid beside the old ones of the other columns."""
    rng = np.random.default_rng(0)
    share = pd.DataFrame({name: rng.random(len(klines)) for name in KLINE_COLUMNS}, klines.index)
    spread = klines["high"] - klines["low"]
    return klines.assign(
        timestamp=klines["timestamp"] + pd.Timedelta("17h"),
        open=klines["low"] + share["open"] * spread,
        high=klines["high"] * (1 + 9 * share["high"]),
        low=klines["low"] / (1 + 9 * share["low"]),
        close=klines["low"] + share["close"] * spread,
        volume=klines["volume"] * (2 + 9 * share["volume"]) + 1,
        close_time=klines["close_time"] - pd.Timedelta("29min"),
        quote_av=klines["quote_av"] * (2 + 9 * share["quote_av"]) + 1,
        trades=klines["trades"] * 7 + 1 + (100 * share["trades"]).astype("int64"),
        tb_base_av=klines["volume"] * share["tb_base_av"],
        tb_quote_av=klines["quote_av"] * share["tb_quote_av"],
        ignore=share["ignore"],
    )


def _assert_same(before: pd.DataFrame, after: pd.DataFrame, origin: int, differs_in: str) -> None:
    known, again = (frame.to_numpy(np.float64)[: origin + 1] for frame in (before, after))
    assert known.shape == again.shape
    changed = (known != again) & ~(np.isnan(known) & np.isnan(again))
    names = list(before.columns[changed.any(axis=0)])
    assert not names, f"{names} up to row {origin} know of later candles: other ones ({differs_in}) change them"
