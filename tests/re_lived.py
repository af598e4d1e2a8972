"""Small walks, made up."""

import numpy as np

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.evaluation.walk import Walk

FIRST = np.datetime64("2025-01-01T00", "ms")
# Quantiles of the standard normal distribution at QUANTILE_LEVELS.
NORMAL = np.array([-1.645, -1.282, -0.674, 0, 0.674, 1.282, 1.645])


def walk_of(*names: str, folds: tuple[int, ...] = (36, 36), horizon: int = HORIZON) -> Walk:
    """Folds of so many hours of a random walk, the baseline's widths changing from hour to hour.

    The others' quantiles are as wide as the market is; the more of them, the further their medians are off.
    """
    rng, windows = np.random.default_rng(7), sum(folds)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, windows + horizon)))
    hours = np.arange(windows)
    ahead = hours[:, None] + np.arange(1, horizon + 1)
    spread = 0.01 * np.sqrt(np.arange(1, horizon + 1))[:, None] * NORMAL
    baseline = rng.uniform(0.5, 2.5, windows)[:, None, None] * spread
    made = {name: np.tile(spread, (windows, 1, 1)) + 0.002 * at for at, name in enumerate(names)}
    return Walk(
        opens=FIRST + hours * np.timedelta64(1, "h"),
        closes=prices[:windows],
        targets=np.log(prices[ahead] / prices[:windows, None]),
        folds=np.repeat(np.arange(1, len(folds) + 1), folds),
        naive_errors=np.repeat(np.arange(1.0, len(folds) + 1), folds),
        levels=QUANTILE_LEVELS,
        quantiles={name: values.astype(np.float32) for name, values in {"baseline": baseline, **made}.items()},
        refused={},
    )
