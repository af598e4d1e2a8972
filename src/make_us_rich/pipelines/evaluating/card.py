"""The model card of a run's choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from make_us_rich.domain.card import Calibrated, ModelCard, Scores
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.klines import HOUR
from make_us_rich.evaluation.calibration import Quantiles
from make_us_rich.evaluation.judging import mean_of
from make_us_rich.evaluation.scores import coverage
from make_us_rich.evaluation.table import ALL, ANY, INTERVALS
from make_us_rich.evaluation.walk import Walk
from make_us_rich.features.split import Split
from make_us_rich.models.lineup import Lineup
from make_us_rich.pipelines.evaluating.card_text import tell

Record = dict[str, Any]


def write_card(
    judgement: Record, scores: pd.DataFrame, walk: Walk, served: Walk, lineup: Record, split: Record
) -> tuple[Record, str]:
    """Everything that is known of the model that the run has chosen, published or not.

    Args:
        judgement: See `Judgement`.
        scores: See `score_walk`.
        walk: Forecasts as they were fitted.
        served: Those on the folds as they would have been served.
        lineup: Who competed.
        split: Where the published fit ends.

    Returns:
        The record, which `ModelCard` reads, and the same in Markdown.
    """
    members = judgement["choice"].split("+")
    recipes = Lineup.model_validate(lineup)
    rows = scores[scores["architecture"] == judgement["choice"]]
    record = {
        **judgement,
        "described": {name: _sentence(recipes.architectures()[name]) for name in members},
        "recipe": {name: recipes.challengers[name] for name in members},
        "trained_until": Split.model_validate(split).test_start - HOUR,
        "horizons": _at_horizons(rows),
        "volatilities": [_compared(row, "volatility") for row in _means(rows[rows["volatility"] != ANY])],
        "folds": [_on_fold(row, served) for row in _means(rows[rows["fold"] != ALL])],
        "calibration": _calibrated(walk.judged(), served, judgement["choice"]),
    }
    card = ModelCard.model_validate(record)
    return card.model_dump(mode="json"), tell(card)


def _sentence(architecture: object) -> str:
    """The first line of its class's docstring."""
    return (type(architecture).__doc__ or "").strip().partition("\n")[0]


def _at_horizons(rows: pd.DataFrame) -> list[Record]:
    whole = rows[(rows["fold"] == ALL) & (rows["volatility"] == ANY)].set_index("horizon", drop=False)
    told = whole.loc[[horizon for horizon in (*_TOLD, ALL) if horizon in whole.index]]
    return [_compared(row, "horizon", "dm_t", "dm_p") for row in told.to_dict("records")]


def _means(rows: pd.DataFrame) -> list[dict[Any, Any]]:
    return rows[rows["horizon"] == ALL].to_dict("records")


def _compared(row: dict[Any, Any], *kept: str) -> Record:
    names = Scores.model_fields
    return {
        **{name: row[name] for name in ("windows", "crps_skill", *kept)},
        "own": {name: row[name] for name in names},
        "baseline": {name: row[f"baseline_{name}"] for name in names},
    }


def _on_fold(row: dict[Any, Any], served: Walk) -> Record:
    opens = served.opens[served.folds == row["fold"]]
    first, last = (pd.Timestamp(moment, tz="UTC") + HOUR for moment in (opens[0], opens[-1]))
    return {**_compared(row, "fold"), "first": first, "last": last}


def _calibrated(fitted: Walk, served: Walk, name: str) -> list[Calibrated]:
    if not len(served):
        return []
    before = mean_of([fitted.quantiles[member] for member in name.split("+")])
    after = served.quantiles[name]
    return [_calibrated_at(horizon, served, before, after) for horizon in _TOLD]


def _calibrated_at(horizon: int, walk: Walk, before: Quantiles, after: Quantiles) -> Calibrated:
    outcomes = walk.targets[:, horizon - 1]
    fitted, served = (_ends(made[:, horizon - 1], walk.levels) for made in (before, after))
    width = _width(*fitted)
    return Calibrated(
        horizon=horizon,
        factor=_width(*served) / width if width else None,
        coverage_fitted=float(coverage(outcomes, *fitted)),
        coverage_served=float(coverage(outcomes, *served)),
    )


def _ends(quantiles: Quantiles, levels: Sequence[float]) -> tuple[Quantiles, Quantiles]:
    """Lower and upper ends of the 80 % interval, ``[window]``."""
    low, high = INTERVALS[80]
    return quantiles[:, levels.index(low)], quantiles[:, levels.index(high)]


def _width(low: Quantiles, high: Quantiles) -> float:
    return float(np.mean(high - low, dtype=np.float64))


_TOLD = (1, 4, HORIZON)
