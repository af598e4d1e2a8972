"""How good a model's probabilities were on the folds of its backtest."""

from make_us_rich.domain.evaluation import Finite
from make_us_rich.domain.frozen import FrozenModel


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
