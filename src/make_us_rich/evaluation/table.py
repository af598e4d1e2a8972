"""Scores of a forecast by horizon, the baseline's on the same windows beside them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from make_us_rich.evaluation.scores import coverage, crps, directional_accuracy, mae, mape, rmse, skill
from make_us_rich.features.windows import Windows

INTERVALS = {50: (0.25, 0.75), 80: (0.1, 0.9), 90: (0.05, 0.95)}
"""Nominal coverage in per cent to the levels of the interval's ends."""

_PRICE_SCORES = {"rmse": rmse, "mae": mae, "mape": mape}

Quantiles = NDArray[np.float32]
Columns = dict[str, NDArray[np.float64]]


def score_by_horizon(
    windows: Windows, forecast: Quantiles, baseline: Quantiles, levels: Sequence[float]
) -> pd.DataFrame:
    """Every score at every horizon.

    Args:
        windows: Where the forecasts were made.
        forecast: Log returns, ``[window, horizon, level]``.
        baseline: The baseline's, on the same windows.
        levels: Of the quantiles, ``[level]``.

    Returns:
        One row a horizon: ``horizon`` (hours), ``windows``, ``crps`` (log return), ``coverage_*`` (share),
        ``rmse``, ``mae`` (quote currency), ``mape`` (share), ``directional_accuracy`` (share), the same of the
        baseline as ``baseline_*``, and ``crps_skill``.
    """
    own = _scores(windows, forecast, levels)
    reference = _scores(windows, baseline, levels)
    columns = {
        "horizon": np.arange(1, windows.horizon + 1),
        "windows": np.full(windows.horizon, len(windows)),
        **own,
        **{f"baseline_{name}": values for name, values in reference.items()},
        "crps_skill": skill(own["crps"], reference["crps"]),
    }
    return pd.DataFrame(columns)


def _scores(windows: Windows, forecast: Quantiles, levels: Sequence[float]) -> Columns:
    targets = windows.targets()
    ends = {level: forecast[:, :, index] for index, level in enumerate(levels)}
    covered = {
        f"coverage_{nominal}": coverage(targets, ends[low], ends[high]) for nominal, (low, high) in INTERVALS.items()
    }
    return {
        "crps": crps(targets, forecast, levels).mean(axis=0),
        **covered,
        **_point_scores(windows, ends[0.5]),
        "directional_accuracy": directional_accuracy(targets, ends[0.5]),
    }


def _point_scores(windows: Windows, median: Quantiles) -> Columns:
    closes = windows.last_closes()[:, None]
    actual, points = closes * np.exp(windows.targets()), closes * np.exp(median.astype(np.float64))
    return {name: score(actual, points) for name, score in _PRICE_SCORES.items()}
