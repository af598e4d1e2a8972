"""What a search has tried, as a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from make_us_rich.models.recipes import recipe_id

DTYPES = {
    "at": "datetime64[ms, UTC]",
    "version": "str",
    "architecture": "str",
    "number": "int64",
    "loss": "float64",
    "baseline_loss": "float64",
    "seconds": "float64",
    "parameters": "str",
    "recipe": "str",
    "reason": "str",
}
"""Columns of the table of trials."""

CONFIGURED = 0
"""Number of the trial of the configured recipe."""


@dataclass(frozen=True)
class Trial:
    """A recipe that was tried.

    Attributes:
        at: When its loss was known, UTC.
        number: From ``CONFIGURED`` on.
        loss: Mean over folds and horizons, log return; NaN where it was given up or could not be fitted.
        baseline_loss: The baseline's in the same folds.
        seconds: That it took.
        parameters: All hyperparameters.
        reason: Why there is no loss; empty where there is one.
    """

    at: datetime
    number: int
    loss: float
    baseline_loss: float
    seconds: float
    parameters: dict[str, Any]
    reason: str


def tabulate(architecture: str, version: str, trials: Sequence[Trial]) -> pd.DataFrame:
    """One row a trial, with the columns of ``DTYPES``.

    Args:
        architecture: Name in the registry.
        version: Of the run.
        trials: In order.
    """
    rows = [
        asdict(trial)
        | {
            "version": version,
            "architecture": architecture,
            "parameters": json.dumps(trial.parameters),
            "recipe": recipe_id({architecture: trial.parameters}),
        }
        for trial in trials
    ]
    return pd.DataFrame(rows).reindex(columns=list(DTYPES)).astype(DTYPES)


def best_recipes(trials: pd.DataFrame, least_gain: float) -> dict[str, dict[str, Any]]:
    """Hyperparameters of the trial with the lowest loss by architecture, where it beats the configured recipe.

    Args:
        trials: One row a trial.
        least_gain: Share of the configured recipe's loss that has to be gone; one without a loss is beaten by any.
    """
    finished = trials.dropna(subset="loss")
    configured = finished[finished["number"] == CONFIGURED].set_index("architecture")["loss"]
    best = finished.loc[finished.groupby("architecture")["loss"].idxmin()].set_index("architecture")
    limit = (1 - least_gain) * configured.reindex(best.index)
    found = best["parameters"][limit.isna() | (best["loss"] < limit)]
    return {str(name): json.loads(parameters) for name, parameters in found.items()}
