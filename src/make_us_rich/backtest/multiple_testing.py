"""Multiple testing: the number of challengers tried since the last promotion divides the gate's alpha."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from make_us_rich.domain.evaluation import EvaluationReport
from make_us_rich.domain.forecast import BASELINE

DTYPES = {
    "at": "datetime64[ms, UTC]",
    "version": "str",
    "architecture": "str",
    "recipe": "str",
    "chosen": "bool",
    "publish": "bool",
    "reason": "str",
    "n_comparisons": "Int64",
    "skill": "float64",
    "dm_t": "float64",
    "p": "float64",
    "folds_won": "Int64",
    "folds": "Int64",
    "coverage_90": "float64",
}
"""Columns of the verdict log."""


@dataclass(frozen=True)
class ComparisonCount:
    """What earlier runs have tried since the last promotion.

    Attributes:
        recipes: Each recipe's identifier and the UTC day of its verdict: refits within a day are nearly one test.
        trials: Trials of hyperparameter tuning.
    """

    recipes: frozenset[tuple[str, str]] = frozenset()
    trials: int = 0

    def count(self, recipes: Collection[str], at: datetime) -> int:
        """Challengers tried, among them this run's, given by identifier and the time of their verdicts, UTC."""
        return len(self.recipes | {(recipe, f"{at:%Y-%m-%d}") for recipe in recipes}) + self.trials


def count_since_promotion(verdicts: pd.DataFrame, trials: pd.DataFrame, promoted: Collection[str]) -> ComparisonCount:
    """Count what has been tried since a model other than the baseline was last promoted.

    Args:
        verdicts: The verdict log, see `verdict_rows`; empty at first.
        trials: One row a trial of a tuning run, with ``at``; empty at first.
        promoted: Versions that the champion pointer has named: a verdict to publish whose run was killed before
            the promotion does not count.
    """
    if verdicts.empty:
        return ComparisonCount(trials=len(trials))
    models = verdicts[verdicts["architecture"] != BASELINE]
    last = models.loc[models["chosen"] & models["publish"] & models["version"].isin(promoted), "at"].max()
    if pd.notna(last):
        models = models[models["at"] > last]
        trials = trials if trials.empty else trials[trials["at"] > last]
    keys = zip(models["recipe"], models["at"].dt.strftime("%Y-%m-%d"), strict=True)
    return ComparisonCount(frozenset(keys), len(trials))


def verdict_rows(report: EvaluationReport, identifiers: dict[str, str]) -> pd.DataFrame:
    """Rows of a run for the verdict log: one a challenger, and one for the baseline where it was chosen.

    Returns:
        The columns of ``DTYPES``; ``at`` is UTC.
    """
    rows = [
        {
            **result.model_dump(),
            **result.verdict.model_dump(),
            "recipe": identifiers[result.architecture],
            "chosen": result.architecture == report.choice,
        }
        for result in report.challengers
    ]
    if report.choice not in identifiers:
        rows.append({"architecture": report.choice, "recipe": "", "chosen": True, **report.verdict.model_dump()})
    frame = pd.DataFrame(rows).assign(at=pd.Timestamp(report.at).as_unit("ms"), version=report.version)
    return frame.reindex(columns=list(DTYPES)).astype(DTYPES)
