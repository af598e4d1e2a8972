"""What is told of the forecasts that were served: scores, holes, drift, and whether the champion stands."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.judgement import Finite
from make_us_rich.domain.validation import first_problem

ALL = 0
"""In place of a horizon: the mean of all of them."""

_FROZEN = ConfigDict(frozen=True, extra="forbid")
_Told = TypeVar("_Told", bound=BaseModel)


class LiveAtHorizon(BaseModel):
    """Scores at one horizon; None where nothing has come true yet.

    Attributes:
        horizon: Hours ahead, or ``ALL``.
        forecasts: Whose outcome has come.
        crps: Log return; lower is better.
        baseline_crps: The baseline's on the same forecasts.
        skill: Share of the baseline's CRPS that is gone.
        coverage_50: Share of the outcomes within the 50 % interval, 0 to 1; the others alike.
        pit: Share of the outcomes below the lowest quantile, between neighbours, and above the highest.
    """

    model_config = _FROZEN

    horizon: int
    forecasts: int
    crps: Finite = None
    baseline_crps: Finite = None
    skill: Finite = None
    coverage_50: Finite = None
    coverage_80: Finite = None
    coverage_90: Finite = None
    pit: tuple[float, ...] = ()


class LiveWindow(BaseModel):
    """Scores over the last days.

    Attributes:
        days: Forecasts issued in so many days before now.
        forecasts: Their number.
        whole: All horizons, of the forecasts of which every outcome has come.
        horizons: Each of them, of the forecasts whose outcome at it has come.
    """

    model_config = _FROZEN

    days: int
    forecasts: int
    whole: LiveAtHorizon
    horizons: tuple[LiveAtHorizon, ...]


class LiveHole(BaseModel):
    """An hour without a forecast, and why."""

    model_config = _FROZEN

    hour: datetime
    kind: str
    reason: str


class Standing(BaseModel):
    """Whether the champion stands by its live record.

    Attributes:
        version: The champion's; None where nothing is served.
        demote: It is significantly worse than the baseline.
        reason: In words, with the figures.
        forecasts: On which it was judged.
        skill: Share of the baseline's loss that is gone; None where it was not judged.
        p: Of the one-sided Diebold-Mariano test that the baseline is better; None where it was not judged.
    """

    model_config = _FROZEN

    version: str | None
    demote: bool
    reason: str
    forecasts: int = 0
    skill: Finite = None
    p: Finite = None


class FeatureDrift(BaseModel):
    """One feature, lately against the rows that the model was fitted on.

    Attributes:
        name: Of the feature.
        psi: Population stability index.
        ks: Largest distance of the two distribution functions, 0 to 1 (Kolmogorov and Smirnov).
        beyond: Share of the stretches of the same length within the training rows that are as far from the rest or
            farther, by the index, 0 to 1.
    """

    model_config = _FROZEN

    name: str
    psi: float
    ks: float
    beyond: float


class Drift(BaseModel):
    """Whether the inputs are still what the model was fitted on.

    Attributes:
        rows: Recent rows that were looked at.
        stretches: Of the same length within the training rows, which are compared.
        psi: The largest index of all features; None where there are too few rows.
        p: Probability of as large a one between training stretches, all features taken together, 0 to 1.
        drifted: ``p`` and ``psi`` are beyond their limits.
        reason: In words.
        features: The most drifted first.
    """

    model_config = _FROZEN

    rows: int
    stretches: int
    psi: Finite = None
    p: Finite = None
    drifted: bool = False
    reason: str
    features: tuple[FeatureDrift, ...] = ()


class LiveScores(BaseModel):
    """Everything but the forecasts themselves.

    Attributes:
        pair: Name such as ``btc_usdt``.
        at: The exchange's time, UTC.
        noted_at: The machine's time, UTC; another where a replay is asked.
        newest_candle: Open time of the newest candle that there was, UTC.
        version: That issued the newest forecast; None without any.
        architecture: Of the same.
        issued_at: Of the newest forecast, UTC.
        issued: Forecasts in the record.
        scored: Those of which every outcome has come.
        holes: Hours without a forecast that are remembered.
        unexplained: Those of them for which nobody has a reason.
        newest_holes: The last ones.
        windows: Scores.
        drift: Of the inputs.
        standing: Of the champion.
    """

    model_config = _FROZEN

    pair: str
    at: datetime
    noted_at: datetime
    newest_candle: datetime | None
    version: str | None
    architecture: str | None
    issued_at: datetime | None
    issued: int
    scored: int
    holes: int
    unexplained: int
    newest_holes: tuple[LiveHole, ...]
    windows: tuple[LiveWindow, ...]
    drift: Drift
    standing: Standing

    @classmethod
    def read(cls, record: dict[str, Any], pair: str) -> LiveScores | None:
        """Check a record from the store; None for an empty one.

        Raises:
            ArtifactError: It holds something else.
        """
        return _read(cls, record, f"{pair}: the live scores")


class LiveForecast(BaseModel):
    """One forecast that was served.

    Attributes:
        issued_at: UTC.
        version: The model's.
        architecture: The model's.
        last_close: Quote currency.
        quantiles: Prices in quote currency, ``[horizon][level]``.
    """

    model_config = _FROZEN

    issued_at: datetime
    version: str
    architecture: str
    last_close: float
    quantiles: tuple[tuple[float, ...], ...]


class LiveRecent(BaseModel):
    """The forecasts of the last days, compactly.

    Attributes:
        pair: Name such as ``btc_usdt``.
        levels: Of the quantiles.
        forecasts: Oldest first.
        closes: What came: the closes in quote currency by moment, UTC.
    """

    model_config = _FROZEN

    pair: str
    levels: tuple[float, ...]
    forecasts: tuple[LiveForecast, ...]
    closes: dict[datetime, float]

    @classmethod
    def read(cls, record: dict[str, Any], pair: str) -> LiveRecent | None:
        """Check a record from the store; None for an empty one.

        Raises:
            ArtifactError: It holds something else.
        """
        return _read(cls, record, f"{pair}: the recent forecasts")


def _read(kind: type[_Told], record: dict[str, Any], name: str) -> _Told | None:
    try:
        return kind.model_validate(record) if record else None
    except ValidationError as exc:
        path, wrong = first_problem(exc)
        raise ArtifactError(f"{name} are damaged ({path}: {wrong}); the next hour's run writes them anew") from exc
