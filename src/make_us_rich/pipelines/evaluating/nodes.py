"""Nodes of the evaluating pipeline."""

import logging
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.domain.run import RunContext
from make_us_rich.evaluation.scores import skill
from make_us_rich.evaluation.table import score_by_horizon
from make_us_rich.models.challengers import Challengers
from make_us_rich.models.parts import Features, cut_parts
from make_us_rich.models.registry import BASELINE, requested

log = logging.getLogger(__name__)


def score_challengers(
    features: Features, klines: pd.DataFrame, split: dict[str, Any], challengers: Challengers
) -> pd.DataFrame:
    """Score every challenger on the same test windows: those that all of them can forecast.

    Returns:
        One row an architecture and horizon; see ``score_by_horizon``.
    """
    tests = {
        name: cut_parts(challenger.architecture, features, klines, split).test
        for name, challenger in challengers.items()
    }
    common = reduce(np.intersect1d, [windows.origins for windows in tests.values()])
    windows = {name: test.at(common) for name, test in tests.items()}
    forecasts = {name: challengers[name].fitted.quantiles(windows[name].inputs()) for name in challengers}
    tables = {
        name: score_by_horizon(windows[name], forecast, forecasts[BASELINE], QUANTILE_LEVELS)
        for name, forecast in forecasts.items()
    }
    return pd.concat(tables, names=["architecture"]).reset_index("architecture").reset_index(drop=True)


def choose_candidate(scores: pd.DataFrame, architectures: str, run: RunContext) -> dict[str, str]:
    """The architecture to convert: of those asked for, the one with the lowest mean CRPS on the test part.

    Raises:
        DataError: One of them was not trained, or none has a finite error, as after a fit that has diverged.
    """
    means = scores.groupby("architecture")["crps"].mean()
    names = requested(architectures)
    for name in set(names) - set(means.index):
        raise DataError(
            f"{run.pair}: {name} was not trained; run the preprocessing and training pipelines for it first"
        )
    if not np.isfinite(means[names]).any():
        raise DataError(
            f"{run.pair}: the forecasts of {', '.join(names)} are not finite numbers;"
            " look at the training curve and lower the learning rate"
        )
    name = str(means[names].idxmin())
    log.info("%s: chose %s, mean CRPS %.4g, the baseline's %.4g", run.pair, name, means[name], means[BASELINE])
    return {"architecture": name, "reason": f"lowest mean CRPS on the test part of {', '.join(names)}"}


def tell_metrics(scores: pd.DataFrame, choice: dict[str, str]) -> dict[str, float]:
    """The chosen architecture's scores at 1, 4 and 24 hours and on average, the baseline's beside them.

    Returns:
        ``<score>_<horizon>h`` and ``<score>_mean``; errors in quote currency, CRPS in log return, shares in 0 to 1.
        A score without a value, such as the direction of a market that stood still, is left out.
    """
    chosen = scores[scores["architecture"] == choice["architecture"]].drop(columns="architecture")
    rows = chosen[chosen["horizon"].isin([1, 4, HORIZON])]
    metrics = {
        f"{score}_{int(row['horizon'])}h": float(value)
        for row in rows.to_dict("records")
        for score, value in row.items()
        if score not in ("horizon", "windows") and np.isfinite(value)
    }
    crps, baseline = float(chosen["crps"].mean()), float(chosen["baseline_crps"].mean())
    means = {"crps_mean": crps, "baseline_crps_mean": baseline, "crps_skill_mean": float(skill(crps, baseline))}
    return {**metrics, **means, "test_windows": float(rows["windows"].iloc[0])}


def record_metrics(metrics: dict[str, float]) -> dict[str, dict[str, float]]:
    """The same for the run's record."""
    return {name: {"value": value, "step": 0} for name, value in metrics.items()}


def draw_errors(scores: pd.DataFrame) -> dict[str, Any]:
    """CRPS by horizon of every architecture, as a Plotly figure; the baseline is one of them."""
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": str(architecture),
            "x": rows["horizon"].tolist(),
            "y": (1e4 * rows["crps"]).tolist(),
        }
        for architecture, rows in scores.groupby("architecture")
    ]
    titles = {"xaxis": "horizon, hours", "yaxis": "CRPS, basis points (lower is better)"}
    axes = {axis: {"title": {"text": text}} for axis, text in titles.items()}
    return {"data": traces, "layout": {"title": {"text": "Error on the test part"}, **axes}}
