"""Champions of known skill on a market of changing volatility, for the demotion's arithmetic."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from live_records import NORMAL
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.live.scores import Lived

HOURS = np.sqrt(np.arange(1, HORIZON + 1))


@dataclass(frozen=True)
class Life:
    """What a champion lives through.

    Attributes:
        hours: Forecasts, one an hour.
        error: Deviation of the log of the champion's widths from the truth.
        baseline_error: The same of the baseline's.
        bias: The log of the factor by which all the champion's widths are off.
        memory: How like an hour's error is the error of the hour before.
    """

    hours: int = 2_160
    error: float = 0.2
    baseline_error: float = 0.2
    bias: float = 0.0
    memory: float = 0.98


def live(life: Life, seed: int) -> Lived:
    """A life: log volatility comes back to its mean in a few days, and shocks have fat tails."""
    rng = np.random.default_rng(seed)
    total = life.hours + HORIZON
    sigma = 0.005 * np.exp(0.4 * _persistent(rng, total, 0.99))
    moves = sigma * rng.standard_t(5, total) * np.sqrt(3 / 5)
    path = np.concatenate([[0.0], np.cumsum(moves)])
    targets = np.stack([path[at + 1 : at + 1 + HORIZON] - path[at] for at in range(life.hours)])
    mine, theirs = (error * _persistent(rng, life.hours, life.memory) for error in (life.error, life.baseline_error))
    widths = sigma[: life.hours, None, None] * HOURS[:, None] * np.array(NORMAL)
    return Lived(
        issued_at=np.datetime64("2025-03-01T00", "ms") + np.arange(life.hours) * np.timedelta64(3_600_000, "ms"),
        recipes=np.full(life.hours, "recipe", object),
        targets=targets,
        quantiles=widths * np.exp(life.bias + mine)[:, None, None],
        baseline=widths * np.exp(theirs)[:, None, None],
    )


def _persistent(rng: np.random.Generator, count: int, memory: float) -> NDArray[np.float64]:
    noise = rng.standard_normal(count + 500) * np.sqrt(1 - memory**2)
    values: NDArray[np.float64] = lfilter([1], [1, -memory], noise)[500:]
    return values
