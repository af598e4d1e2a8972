"""Reports of the live record, which the monitoring writes and API, interface and alerts read. Moments are UTC."""

from __future__ import annotations

from datetime import datetime

from pydantic import AliasChoices, Field

from make_us_rich.domain.evaluation import Finite
from make_us_rich.domain.frozen import FrozenModel, OptionalRecord

ALL_HORIZONS = 0
"""In place of a horizon: the mean over all horizons."""


class HorizonScores(FrozenModel):
    """Scores at one horizon; None where fewer than ``MIN_OUTCOMES`` outcomes were observed.

    ``high_*`` and ``low_*`` are the same of the highest high and the lowest low until then. Their outcomes are fewer
    where a candle is missing, or where an earlier release has recorded closes alone.
    """

    horizon: int  # hours ahead, or ALL_HORIZONS
    n_outcomes: int  # forecasts whose outcome was observed
    crps: Finite = None  # of log returns; lower is better
    baseline_crps: Finite = None  # the baseline's on the same forecasts
    skill: Finite = None  # 1 - crps / baseline_crps
    coverage_50: Finite = None  # share of the outcomes within the 50 % interval, 0 to 1
    coverage_80: Finite = None
    coverage_90: Finite = None
    pit: tuple[float, ...] = ()  # shares of the outcomes below, between and above the quantiles
    high_n_outcomes: int = 0
    high_crps: Finite = None
    high_baseline_crps: Finite = None
    high_skill: Finite = None
    high_pit: tuple[float, ...] = ()
    low_n_outcomes: int = 0
    low_crps: Finite = None
    low_baseline_crps: Finite = None
    low_skill: Finite = None
    low_pit: tuple[float, ...] = ()


class WindowScores(FrozenModel):
    """Scores over the last days, of one recipe or of all that was served; its versions, oldest first."""

    days: int
    architecture: str | None = None  # of the newest forecast
    architectures: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    n_forecasts: int
    overall: HorizonScores  # of the forecasts whose outcomes were all observed
    horizons: tuple[HorizonScores, ...]  # of the forecasts whose outcome at each was observed


class MissedForecast(FrozenModel):
    """An hour without a forecast: its kind, such as ``no_run``, and the reason in words."""

    hour: datetime
    kind: str
    reason: str


class ChampionStatus(FrozenModel):
    """Whether the champion is significantly worse than the baseline; None where too few forecasts were compared.

    The p-value is that of the one-sided Diebold-Mariano test that the baseline is better.
    """

    version: str | None
    demote: bool
    reason: str
    n_forecasts: int = 0
    skill: Finite = None
    p_value: Finite = None


class FeatureDrift(FrozenModel):
    """Population stability index and Kolmogorov-Smirnov distance of one feature's recent rows.

    The p-value is the share of the training windows whose index is at least as large.
    """

    name: str
    psi: float
    ks: float
    p_value: float


class Drift(FrozenModel):
    """Drift of the champion's inputs, by the largest index of all features; None where there are too few rows."""

    n_rows: int  # recent ones
    n_windows: int  # of the same length among the training rows, the reference
    psi: Finite = None
    p_value: Finite = None
    drifted: bool = False
    reason: str
    features: tuple[FeatureDrift, ...] = ()  # the most drifted first


class LiveScores(OptionalRecord):
    """Everything that is known of a pair's live forecasts, apart from the forecasts themselves."""

    pair: str
    at: datetime  # by the clock of the exchange
    recorded_at: datetime  # by the clock of the machine; a replay exchange has another one
    newest_candle: datetime | None  # its open time
    simulated: bool = False  # whether the market is
    version: str | None  # that issued the newest forecast
    architecture: str | None
    issued_at: datetime | None  # of the newest forecast
    n_forecasts: int
    n_scored: int  # forecasts whose outcomes were all observed
    n_missed: int
    n_unexplained: int  # missed forecasts without a known reason
    missed: tuple[MissedForecast, ...] = Field(validation_alias=AliasChoices("missed", "newest_missed"))
    windows: tuple[WindowScores, ...]  # of the champion's recipe
    served: tuple[WindowScores, ...] = ()  # of all forecasts, whichever model has issued them
    drift: Drift
    champion_status: ChampionStatus


class LiveForecast(FrozenModel):
    """A forecast that was served; prices are in quote currency, quantiles ``[horizon][level]``."""

    issued_at: datetime
    version: str
    architecture: str
    last_close: float
    quantiles: tuple[tuple[float, ...], ...]


class RecentForecasts(OptionalRecord):
    """The forecasts of the last days, oldest first, and the observed closes in quote currency by closing time."""

    pair: str
    levels: tuple[float, ...]  # of the quantiles
    forecasts: tuple[LiveForecast, ...]
    closes: dict[datetime, float]
