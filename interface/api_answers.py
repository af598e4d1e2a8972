"""What the API answers, as far as the interface reads it; fields that a newer API adds are left alone."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Anything that was answered."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Login(Answer):
    """A login, and after registering the first API token."""

    name: str
    roles: list[str]
    login_token: str = Field(repr=False)
    expires_at: datetime
    api_token: str | None = Field(None, repr=False)


class Usage(Answer):
    """A user and the month."""

    name: str
    roles: list[str]
    used: int
    limit: int
    remaining: int
    reset_at: datetime

    @property
    def is_admin(self) -> bool:
        """Whether the user may do what admins may."""
        return "admin" in self.roles

    def after_a_call(self) -> "Usage":
        """The month with one call more, as it will be answered when it is asked for again."""
        return self.model_copy(update={"used": self.used + 1, "remaining": max(0, self.remaining - 1)})


class Users(Answer):
    """A page of users."""

    users: list[Usage]
    next_after: str | None


class Plan(Answer):
    """A role and the calls a month that come with it; none: those of the API's settings."""

    role: str
    monthly_limit: int | None


class Consumption(Answer):
    """The month of everybody together."""

    used: int
    users: int


class Candles(Answer):
    """Closed candles of an hour, oldest first; prices in quote currency."""

    timestamp: list[datetime]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]


class Edge(Answer):
    """Whether the point forecast has been proven to be better than the last close."""

    proven: bool
    reason: str


class Fan(Answer):
    """Quantiles of the next closes, ``[hour][level]``, in quote currency."""

    closes_at: list[datetime]
    levels: list[float]
    quantiles: list[list[float]]


class Forecast(Fan):
    """A forecast and what it rests on."""

    issued_at: datetime
    last_close: float
    version: str
    architecture: str
    stand_in: str | None = None
    verdict: str
    edge: Edge
    baseline: Fan | None = None


class Prediction(Answer):
    """Candles, the close that comes next, and the distribution of the next 24."""

    pair: str
    prediction: float
    prediction_at: datetime
    age_seconds: int
    stale: bool
    stale_reason: str | None
    data: Candles
    forecast: Forecast


class PairServed(Answer):
    """What is served for one pair."""

    pair: str
    version: str | None
    architecture: str | None
    issued_at: datetime | None
    problem: str | None


class Pairs(Answer):
    """Every configured pair."""

    pairs: list[PairServed]
    as_of: datetime | None

    def of(self, pair: str) -> PairServed | None:
        """What is served for one of them."""
        return next((each for each in self.pairs if each.pair == pair), None)


class Promoted(Answer):
    """A version became the champion."""

    version: str
    at: datetime
    reason: str


class Versions(Answer):
    """A pair's champion, and those that can be made the champion again, the newest first."""

    pair: str
    version: str | None
    earlier: list[Promoted]


class ModelServed(Answer):
    """A pair's champion."""

    pair: str
    version: str
    architecture: str
    loaded_at: datetime
    manifest: dict[str, Any]
    card: dict[str, Any] | None
    promotions: list[Promoted]


class PastForecast(Answer):
    """One forecast and what came true."""

    issued_at: datetime
    closes_at: datetime
    last_close: float
    quantiles: list[float]
    outcome: float | None


class PastForecasts(Answer):
    """Forecasts of the past at one horizon, oldest first."""

    pair: str
    version: str
    source: str
    note: str
    horizon: int
    levels: list[float]
    coverage: dict[str, float | None]
    forecasts: list[PastForecast]


class Loaded(Answer):
    """The loaded models."""

    number: int
    models: list[str]


class Ready(Answer):
    """Whether the API can be used, and what is not as it should be."""

    ready: bool
    reasons: list[str]
    degraded: list[str]


class RunEnded(Answer):
    """One run that the hourly job made."""

    pair: str
    pipeline: str
    started: datetime
    ended: datetime
    ok: bool
    reason: str
    missed: int


class LastRuns(Answer):
    """The last hourly runs, the newest first, and pairs whose record of them cannot be read."""

    runs: list[RunEnded]
    problems: list[str]
