"""What evaluating found: the gate's verdict on every challenger of a run, and how good the probabilities were."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from make_us_rich.domain.frozen import FrozenModel
from make_us_rich.domain.manifest import NO_EDGE, DataRange, Verdict


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


Finite = Annotated[float | None, BeforeValidator(_finite)]
"""A number, or None where there is none: JSON knows neither NaN nor infinity."""


class ChallengerResult(FrozenModel):
    """What the gate found of one challenger; figures are None where it could not be evaluated.

    Attributes:
        architecture: Name in the registry; a combination's members are joined by a plus.
        recipe: Hyperparameters by architecture, one for each member.
        verdict: Whether it may be served.
        edge: Whether its median may be shown instead of the last close.
        n_comparisons: Challengers tried since the last promotion, this one among them.
        skill: Share of the baseline's mean CRPS that is gone, over all folds and horizons.
        dm_t: Of the Diebold-Mariano test against the baseline.
        p: Of the same test, one-sided, 0 to 1.
        folds_won: Folds in which its mean CRPS is below the baseline's.
        folds: All of them.
        coverage_90: Share of the outcomes within its 90 % interval, over all folds and horizons, 0 to 1.
        high_crps_skill: As ``skill``, of the highest high until each hour.
        low_crps_skill: Of the lowest low.
    """

    architecture: str
    recipe: dict[str, dict[str, Any]]
    verdict: Verdict
    edge: Verdict
    n_comparisons: int = Field(validation_alias=AliasChoices("n_comparisons", "tried"))
    skill: Finite = None
    dm_t: Finite = None
    p: Finite = None
    folds_won: int | None = None
    folds: int | None = None
    coverage_90: Finite = None
    high_crps_skill: Finite = None
    low_crps_skill: Finite = None


class EvaluationReport(FrozenModel):
    """What the gate found of one run.

    Attributes:
        pair: Name such as ``btc_usdt``.
        version: The run's version.
        at: When it was evaluated, UTC.
        choice: Architecture to convert.
        verdict: Of the choice; decides whether it is published.
        challengers: Every one that was evaluated.
        champion: Version that they were held against; None where there is none.
        candles: What the choice was made from.
        simulated: The candles come from a simulated market.
    """

    pair: str
    version: str
    at: datetime
    choice: str
    verdict: Verdict
    challengers: tuple[ChallengerResult, ...]
    champion: str | None
    candles: DataRange
    simulated: bool = False

    @property
    def edge(self) -> Verdict:
        """Whether the median of the choice may be shown instead of the last close."""
        return next((each.edge for each in self.challengers if each.architecture == self.choice), NO_EDGE)


class BinScores(FrozenModel):
    """Mean probability that was said in a bin, the share in which the event happened, and how many forecasts it has."""

    said: float
    happened: float
    outcomes: int


class ProbabilityScores(FrozenModel):
    """Of closes beyond a price, or of its touch, at prices on both sides of the last close."""

    event: str  # ``close`` or ``touch``
    horizon: int  # hours ahead
    outcomes: int  # number of probabilities
    error: float  # mean difference of what was said and what happened over ten bins, weighted by their number, 0 to 1
    brier: float  # mean squared error, lower is better
    baseline_brier: float  # the baseline's
    climatology_brier: float  # of the share in which it happened, said always
    reliability: float  # part of the Brier score that is miscalibration
    resolution: float  # part by which it is better than climatology
    bins: tuple[BinScores, ...]  # those with enough outcomes, ascending


class AtRisk(FrozenModel):
    """Losses beyond the value at risk of a holder; a small p-value rejects the forecast."""

    level: float  # of the value at risk, such as 0.95
    horizon: int  # hours ahead
    outcomes: int  # number of forecasts, none of which overlap
    share: float  # of the outcomes beyond it; 1 minus the level is promised
    kupiec_p: float  # whether the share is what was promised
    independence_p: float  # whether exceedances follow one another
    christoffersen_p: float  # both


class EnergyScore(FrozenModel):
    """CRPS of the whole path of closes, in log return, lower is better; the baseline's on the same paths."""

    outcomes: int
    own: float
    baseline: float
    skill: Finite


class EventScores(FrozenModel):
    """All of them; empty where there are too few candles for the folds."""

    probabilities: tuple[ProbabilityScores, ...] = ()
    risks: tuple[AtRisk, ...] = ()
    energy: EnergyScore | None = None
