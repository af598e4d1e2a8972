"""How many challengers have been tried since the last promotion: what the gate divides its p-value by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pandas as pd

from make_us_rich.domain.forecast import BASELINE

if TYPE_CHECKING:
    from make_us_rich.domain.judgement import Judgement


@dataclass(frozen=True)
class Tried:
    """What earlier runs have tried.

    Attributes:
        recipes: Since the last promotion, each as its identifier and the UTC day on which it was judged: refits of one
            recipe an hour apart are nearly one look.
        searched: Trials of hyper-parameter searches since then.
    """

    recipes: frozenset[tuple[str, str]] = frozenset()
    searched: int = 0

    def count(self, recipes: Collection[str], at: datetime) -> int:
        """Challengers tried, those of this run among them.

        Args:
            recipes: Identifiers of this run's.
            at: When they are judged, UTC.
        """
        return len(self.recipes | {(recipe, _day(at)) for recipe in recipes}) + self.searched


def tried_since_promotion(verdicts: pd.DataFrame, trials: pd.DataFrame, promoted: Collection[str]) -> Tried:
    """Count what has been tried since a model other than the baseline was last promoted.

    Args:
        verdicts: The verdict log, see `verdict_rows`; empty at first.
        trials: One row a trial of a search, with ``at``; empty at first.
        promoted: Versions that the champion pointer has named: a verdict to publish whose run was killed before
            it could is no promotion.
    """
    if verdicts.empty:
        return Tried(searched=len(trials))
    models = verdicts[verdicts["architecture"] != BASELINE]
    last = models.loc[models["chosen"] & models["publish"] & models["version"].isin(promoted), "at"].max()
    since = models if pd.isna(last) else models[models["at"] > last]
    searched = len(trials) if pd.isna(last) or trials.empty else int((trials["at"] > last).sum())
    keys = zip(since["recipe"], since["at"], strict=True)
    return Tried(frozenset((recipe, _day(at)) for recipe, at in keys), searched)


def verdict_rows(judgement: Judgement, identifiers: dict[str, str]) -> pd.DataFrame:
    """What the log keeps of a run: one row a challenger, and one for the baseline where it is the choice.

    Args:
        judgement: The run's.
        identifiers: Recipe identifier by architecture.

    Returns:
        ``at`` (UTC), ``version``, ``architecture``, ``recipe``, ``chosen``, ``publish``, ``reason``, ``tried``,
        ``skill``, ``dm_t``, ``p``, ``folds_won``, ``folds``, ``coverage_90``.
    """
    rows = [
        {
            "architecture": judged.architecture,
            "recipe": identifiers[judged.architecture],
            "chosen": judged.architecture == judgement.choice,
            **judged.verdict.model_dump(),
            **judged.model_dump(exclude={"architecture", "recipe", "verdict", "edge"}),
        }
        for judged in judgement.challengers
    ]
    if judgement.choice not in identifiers:
        rows.append({"architecture": judgement.choice, "recipe": "", "chosen": True, **judgement.verdict.model_dump()})
    frame = pd.DataFrame(rows)
    frame.insert(0, "at", pd.Timestamp(judgement.at).as_unit("ms"))
    frame.insert(1, "version", judgement.version)
    return frame.reindex(columns=list(DTYPES)).astype(DTYPES)


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


DTYPES = {
    "at": "datetime64[ms, UTC]",
    "version": "str",
    "architecture": "str",
    "recipe": "str",
    "chosen": "bool",
    "publish": "bool",
    "reason": "str",
    "tried": "Int64",
    "skill": "float64",
    "dm_t": "float64",
    "p": "float64",
    "folds_won": "Int64",
    "folds": "Int64",
    "coverage_90": "float64",
}
"""Columns of the verdict log."""
