"""Preprocessing of one year of candles: vectorised features and windows as views, against the way of 2022.

Run ``python benchmarks/preprocessing.py``. Prints a table and, as the last line, one JSON object.
"""

import gc
import json
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from make_us_rich.domain.klines import KLINE_DTYPES
from make_us_rich.features.registry import compute_features
from make_us_rich.features.windows import Windows, make_windows

YEAR = 8760
LOOKBACK = 120
HORIZON = 24
REPEATS = 3
SEED = 42


def make_klines(gaps: int = 0) -> pd.DataFrame:
    """A year of random-walk candles, with single hours missing at random places."""
    rng = np.random.default_rng(SEED)
    hours = np.delete(np.arange(YEAR + gaps), rng.choice(YEAR, gaps, replace=False))
    opened = pd.Timestamp("2024-05-01", tz="UTC") + pd.to_timedelta(hours, unit="h")
    close = 60_000 * np.exp(np.cumsum(rng.normal(0, 0.005, YEAR)))
    opening = close * np.exp(rng.normal(0, 0.001, YEAR))
    spread = np.exp(rng.exponential(0.002, YEAR))
    prices = {
        "open": opening,
        "high": np.maximum(opening, close) * spread,
        "low": np.minimum(opening, close) / spread,
        "close": close,
    }
    flows = {name: rng.exponential(900, YEAR) for name in ("quote_av", "tb_base_av", "tb_quote_av")}
    times = {"timestamp": opened, "close_time": opened + pd.Timedelta("59min")}
    counts = {"volume": 2 * flows["tb_base_av"], "trades": rng.integers(1, 9999, YEAR), "ignore": 0.0}
    return pd.DataFrame({**times, **prices, **flows, **counts}).astype(KLINE_DTYPES)


def features_row_by_row(klines: pd.DataFrame) -> pd.DataFrame:
    """One dictionary a row through ``iterrows``, as in 2022."""
    records = []
    for _, candle in klines.iterrows():
        opened = candle["timestamp"]
        records.append(
            {
                "day_of_week": opened.day_of_week,
                "day_of_month": opened.day,
                "week_of_year": opened.week,
                "month_of_year": opened.month,
                **{price: candle[price] for price in ("open", "high", "low", "close")},
                "close_change": candle["close"] - candle["open"],
            }
        )
    return pd.DataFrame(records)


def windows_one_by_one(features: pd.DataFrame) -> list[tuple[pd.DataFrame, float]]:
    """One slice and one looked-up label a window, as in 2022."""
    ends = range(LOOKBACK, len(features))
    return [(features[end - LOOKBACK : end], features.iloc[end]["close"]) for end in ends]


def copied_inputs(windows: Windows) -> np.ndarray:
    """Every window copied."""
    return np.stack([windows.features[t - LOOKBACK + 1 : t + 1] for t in windows.origins])


def measure(function: Callable[[], Any]) -> tuple[float, Any]:
    """Fastest time in seconds, and what came out."""
    seconds, result = [], None
    for _ in range(REPEATS):
        gc.collect()
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def array_bytes(function: Callable[[], Any]) -> int:
    """Bytes of array data that a call allocates and that its result keeps."""
    only_arrays = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    tracemalloc.start()
    result = function()
    kept = tracemalloc.take_snapshot().filter_traces([only_arrays])
    tracemalloc.stop()
    del result
    return sum(trace.size for trace in kept.traces)


def compare_features(klines: pd.DataFrame) -> dict[str, float]:
    """Seconds of both ways, which agree."""
    ours, features = measure(lambda: compute_features("calendar_ohlc", klines))
    theirs, expected = measure(lambda: features_row_by_row(klines))
    np.testing.assert_array_equal(features.to_numpy(), expected[list(features.columns)].to_numpy())
    return {"calendar_ohlc_ms": 1e3 * ours, "calendar_ohlc_row_by_row_ms": 1e3 * theirs}


def compare_windows(features: pd.DataFrame, klines: pd.DataFrame) -> dict[str, float]:
    """Seconds of both ways, which agree; ours gives 24 targets a window, theirs one."""

    def as_views() -> tuple[Windows, np.ndarray, np.ndarray]:
        windows = make_windows(features, klines, LOOKBACK, HORIZON)
        return windows, windows.inputs(), windows.targets()

    ours, (windows, inputs, targets) = measure(as_views)
    theirs, sequences = measure(lambda: windows_one_by_one(features))
    labels = [label for _, label in sequences[: len(windows)]]
    np.testing.assert_array_equal(inputs[-1], sequences[len(windows) - 1][0].to_numpy(np.float32))
    np.testing.assert_allclose(windows.last_closes() * np.exp(targets[:, 0]), labels)
    return {"windows_ms": 1e3 * ours, "windows_one_by_one_ms": 1e3 * theirs}


def compare_memory(windows: Windows) -> dict[str, int]:
    """Bytes of the inputs of all windows, on top of the features."""
    return {
        "windows_extra_bytes": array_bytes(windows.inputs),
        "windows_copied_bytes": array_bytes(lambda: copied_inputs(windows)),
        "feature_bytes": windows.features.nbytes,
        "windows": len(windows),
    }


def add_speedups(figures: dict[str, float]) -> dict[str, float]:
    """How many times faster ours is."""
    features, row_by_row = figures["calendar_ohlc_ms"], figures["calendar_ohlc_row_by_row_ms"]
    windows, one_by_one = figures["windows_ms"], figures["windows_one_by_one_ms"]
    speedups = {
        "preprocessing_speedup": (row_by_row + one_by_one) / (features + windows),
        "features_speedup": row_by_row / features,
        "windows_speedup": one_by_one / windows,
    }
    return {name: round(value, 2) for name, value in {**speedups, **figures}.items()}


def main() -> None:
    """Measure, check that both ways agree, and print."""
    klines, torn = make_klines(), make_klines(gaps=18)
    features = compute_features("calendar_ohlc", klines)
    figures = add_speedups(
        {
            **compare_features(klines),
            **compare_windows(features, klines),
            "returns_ms": 1e3 * measure(lambda: compute_features("returns", klines))[0],
            "returns_18_gaps_ms": 1e3 * measure(lambda: compute_features("returns", torn))[0],
            **compare_memory(make_windows(features, klines, LOOKBACK, HORIZON)),
        }
    )
    print_table(figures)
    print(json.dumps(figures))


def print_table(figures: dict[str, float]) -> None:
    """The figures side by side."""
    rows = [
        ("calendar_ohlc, ms", "calendar_ohlc_ms", "calendar_ohlc_row_by_row_ms", "features_speedup"),
        ("windows and targets, ms", "windows_ms", "windows_one_by_one_ms", "windows_speedup"),
    ]
    print(f"{YEAR} candles, {figures['windows']:.0f} windows of {LOOKBACK} rows\n")
    print(f"{'':26}{'ours':>12}{'2022':>14}{'times':>8}")
    for title, ours, before, speedup in rows:
        print(f"{title:26}{figures[ours]:12.2f}{figures[before]:14.1f}{figures[speedup]:8.0f}")
    print(f"{'both':26}{'':26}{figures['preprocessing_speedup']:8.0f}")
    extra, copied = figures["windows_extra_bytes"] / 1e6, figures["windows_copied_bytes"] / 1e6
    print(f"{'inputs, MB on top':26}{extra:12.2f}{copied:14.1f}")
    print(f"{'returns, ms':26}{figures['returns_ms']:12.2f}")
    print(f"{'returns with 18 gaps, ms':26}{figures['returns_18_gaps_ms']:12.2f}")


if __name__ == "__main__":
    main()
