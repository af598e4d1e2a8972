"""Nodes of the evaluating pipeline that tell how good the forecasts were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.run import RunContext
from make_us_rich.evaluation import table
from make_us_rich.evaluation.table import ALL, ANY, KEYS
from make_us_rich.evaluation.walk import Walk
from make_us_rich.pipelines.evaluating.page import page

TOLD = (ALL, 1, 4, HORIZON)
"""Horizons, hours, that the manifest and the run's record tell; ``ALL`` is the mean of all of them."""


def score_walk(served: Walk) -> pd.DataFrame:
    """Every score of every model on the folds; see `make_us_rich.evaluation.table`.

    Args:
        served: Without the lead-in, the quantiles as they would have been served.
    """
    return table.score_walk(served)


def tell_metrics(scores: pd.DataFrame, choice: dict[str, str]) -> dict[str, float]:
    """The chosen architecture's scores at 1, 4 and 24 hours and on average, the baseline's beside them.

    Returns:
        ``<score>_<horizon>h`` and ``<score>_mean``; errors in quote currency, CRPS in log return, shares in 0 to 1.
        A score without a value, such as the direction of a market that stood still, is left out; empty where there
        are too few candles for the folds.
    """
    whole = (scores["fold"] == ALL) & (scores["volatility"] == ANY) & scores["horizon"].isin(TOLD)
    rows = scores[whole & (scores["architecture"] == choice["architecture"])]
    if rows.empty:
        return {}
    metrics = {
        f"{score}_{_span(row['horizon'])}": float(value)
        for row in rows.to_dict("records")
        for score, value in row.items()
        if score not in KEYS and np.isfinite(value)
    }
    return {**metrics, "test_windows": float(rows["windows"].iloc[0])}


def record_metrics(metrics: dict[str, float]) -> dict[str, dict[str, float]]:
    """The same for the run's record."""
    return {name: {"value": value, "step": 0} for name, value in metrics.items()}


def print_figures(
    fan: dict[str, Any], coverage: dict[str, Any], skill: dict[str, Any], errors: dict[str, Any], run: RunContext
) -> str:
    """All figures as one HTML page."""
    figures = {"forecast": fan, "coverage": coverage, "skill": skill, "errors": errors}
    return page(figures, f"{run.pair}, version {run.version}")


def _span(horizon: int) -> str:
    return "mean" if horizon == ALL else f"{horizon}h"
