"""Made-up outcomes and forecasts of closes, highs and lows, for tests that need no candles."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from make_us_rich.backtest.backtest import Backtest, Backtests
from make_us_rich.domain.forecast import LEVELS

HOUR = np.timedelta64(1, "h")
Fans = Mapping[str, np.ndarray]
"""By model, log returns, ``[window, horizon, level]``."""


def running(paths: np.ndarray) -> dict[str, np.ndarray]:
    """Close, highest high and lowest low until each hour, from the log returns within it, ``[window, hour, step]``."""
    return {
        "close": paths[..., -1],
        "high": np.maximum.accumulate(paths.max(axis=-1), axis=-1).clip(min=0),
        "low": np.minimum.accumulate(paths.min(axis=-1), axis=-1).clip(max=0),
    }


def ranged(fans: Fans) -> dict[str, Fans]:
    """Forecasts of closes, their positive parts as those of highs, and their negative parts as those of lows."""
    highs, lows = ({name: pick(values, 0) for name, values in fans.items()} for pick in (np.maximum, np.minimum))
    return {"close": fans, "high": highs, "low": lows}


def make_backtests(
    outcomes: Mapping[str, np.ndarray], fans: Mapping[str, Fans], folds: np.ndarray, **values: Any
) -> Backtests:
    """Forecasts by target at consecutive hours, at a constant close unless other values are given."""
    usual = {
        "opens": np.datetime64("2025-01-01T00", "ms") + np.arange(len(folds)) * HOUR,
        "closes": np.full(len(folds), 100.0),
        "naive_errors": np.ones(len(folds)),
        "levels": LEVELS,
        "refused": {},
    }
    return {
        target: Backtest(targets=targets, quantiles=fans[target], folds=folds, target=target, **usual | values)
        for target, targets in outcomes.items()
    }


def with_model(backtests: Backtests, name: str, forecast: Callable[[Backtest], np.ndarray]) -> Backtests:
    """With forecasts of one more model, or others of one, made from what each target's backtest has."""
    return {
        target: replace(each, quantiles={**each.quantiles, name: forecast(each)}) for target, each in backtests.items()
    }
