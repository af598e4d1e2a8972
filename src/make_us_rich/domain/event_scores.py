"""How good a model's probabilities were on the folds of its backtest."""

from make_us_rich.domain.evaluation import Finite
from make_us_rich.domain.frozen import FrozenModel


class BinScores(FrozenModel):
    """Mean probability that was said in a bin, the share in which the event happened, and how many forecasts it has."""

    said: float
    happened: float
    outcomes: int


class ProbabilityScores(FrozenModel):
    """Of closes beyond a price, or of its touch, at prices on both sides of the last close.

    Attributes:
        event: ``close`` or ``touch``.
        horizon: Hours ahead.
        outcomes: Number of probabilities.
        error: Mean difference of what was said and what happened over ten bins, weighted by their number, 0 to 1.
        brier: Mean squared error, lower is better.
        baseline_brier: The baseline's.
        climatology_brier: Of the share in which it happened, said always.
        reliability: Part of the Brier score that is miscalibration.
        resolution: Part by which it is better than climatology.
        bins: Those with enough outcomes, ascending.
    """

    event: str
    horizon: int
    outcomes: int
    error: float
    brier: float
    baseline_brier: float
    climatology_brier: float
    reliability: float
    resolution: float
    bins: tuple[BinScores, ...]


class AtRisk(FrozenModel):
    """Losses beyond the value at risk of a holder; a small p-value rejects the forecast.

    Attributes:
        level: Of the value at risk, such as 0.95.
        horizon: Hours ahead.
        outcomes: Number of forecasts, none of which overlap.
        share: Of the outcomes beyond it; 1 minus the level is promised.
        kupiec_p: Whether the share is what was promised.
        independence_p: Whether exceedances follow one another.
        christoffersen_p: Both.
    """

    level: float
    horizon: int
    outcomes: int
    share: float
    kupiec_p: float
    independence_p: float
    christoffersen_p: float


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
