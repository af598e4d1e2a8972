"""Response schemas of the API: serving documents and serialises them, clients parse answers with them.

A client ignores fields that it does not know, so that a newer API may add some. Times are in UTC.
"""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import pandas as pd
else:
    from make_us_rich.client import frames as pd


class Schema(BaseModel):
    """Base of all responses."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PairSchema(Schema):
    """Base of responses about one pair."""

    pair: str = Field(examples=["btc_usdt"])
    simulated: bool = False
    """Whether the candles come from a simulated market."""


# Forecasts


class Candles(Schema):
    """Closed hourly candles, oldest first, one list a column; prices in quote currency, volume in base currency."""

    timestamp: list[datetime] = Field(examples=[["2025-03-01T09:00:00Z"]])
    """When each candle opened."""
    open: list[float] = Field(examples=[[84010.2]])
    high: list[float] = Field(examples=[[84391.0]])
    low: list[float] = Field(examples=[[83950.0]])
    close: list[float] = Field(examples=[[84250.5]])
    volume: list[float] = Field(examples=[[412.7]])

    def to_frame(self) -> "pd.DataFrame":
        """A row for each candle, by ``timestamp``."""
        return pd.DataFrame(dict(self)).set_index("timestamp")


class Edge(Schema):
    """Whether the point forecast is significantly better than the last close."""

    proven: bool = Field(examples=[False])
    reason: str = Field(examples=["no edge: the point forecast is the last close"])


class Calibration(Schema):
    """Conformal calibration of the quantiles on the model's own past forecasts."""

    at: datetime
    """The newest candle that the calibration has seen."""
    forecasts: int
    """Number of past forecasts."""
    scales: list[float]
    """Factor for the distances from the median, one a horizon."""


class Fan(Schema):
    """Quantiles of the next closes, in quote currency."""

    closes_at: list[datetime] = Field(examples=[["2025-03-01T11:00:00Z"]])
    """The hours that are forecast."""
    levels: list[float] = Field(examples=[[0.05, 0.5, 0.95]])
    """Quantile levels, ascending."""
    quantiles: list[list[float]] = Field(examples=[[[83410.1, 84250.5, 85071.9]]])
    """``[hour][level]``."""

    def to_frame(self) -> "pd.DataFrame":
        """The quantiles by ``closes_at`` and ``level``."""
        index = pd.Index(self.closes_at, name="closes_at")
        return pd.DataFrame(self.quantiles, index, pd.Index(self.levels, name="level"))


class Forecast(Fan):
    """A forecast with the model and the candles that it is made from."""

    issued_at: datetime = Field(examples=["2025-03-01T10:00:00Z"])
    """When the newest candle that the forecast uses closed."""
    last_close: float = Field(examples=[84250.5])
    version: str = Field(examples=["2025-03-01T09.05.00.000Z"])
    """Version of the model."""
    architecture: str = Field(examples=["har"])
    fallback: str | None = None
    """Why the baseline forecasts instead of the model; null where the model forecasts."""
    verdict: str = Field(examples=["mean CRPS 2.8 % below the baseline's, better in 8 of 8 folds (p = 0.000)"])
    """Why the gate published the model."""
    edge: Edge
    calibration: Calibration | None = None
    """Null where the quantiles are not calibrated."""
    baseline: Fan | None = None
    """Forecast of the baseline (persistence with EWMA volatility) from the same candles; null if none is stored."""


class Prediction(PairSchema):
    """The last five days of candles, the next hour's close, and the distribution of the next 24 closes."""

    prediction: float = Field(examples=[84250.5])
    """Median of the next close, in quote currency; the last close unless an edge is proven."""
    prediction_at: datetime = Field(examples=["2025-03-01T11:00:00Z"])
    """When that close comes."""
    age_seconds: int = Field(examples=[312])
    """Seconds since the forecast was issued."""
    stale: bool = Field(examples=[False])
    """Whether a newer candle should have arrived by now."""
    stale_reason: str | None = Field(examples=[None])
    data: Candles
    forecast: Forecast


class PastForecast(Schema):
    """One forecast and the close that followed."""

    issued_at: datetime
    closes_at: datetime
    last_close: float
    quantiles: list[float]
    outcome: float | None
    """The observed close, in quote currency; null where it is not known."""


class PastForecasts(PairSchema):
    """Past forecasts at one horizon with their outcomes, oldest first."""

    version: str
    """Version of the newest model among them."""
    source: Literal["recorded", "backtest"]
    """`recorded`: as served at the time. `backtest`: made afterwards by the current model on out-of-sample candles,
    where nothing was recorded."""
    note: str
    horizon: int
    levels: list[float]
    coverage: dict[str, float | None]
    """Share of outcomes within the interval of that many per cent, 0 to 1; null below 20 outcomes."""
    forecasts: list[PastForecast]
    next_start: datetime | None = None
    """`start` of the next page of a span; null on the last one."""

    def to_frame(self) -> "pd.DataFrame":
        """A row for each forecast, by ``closes_at``: ``issued_at``, ``last_close``, ``outcome``, and each level."""
        rows = [
            each.model_dump(exclude={"quantiles"}) | dict(zip(self.levels, each.quantiles, strict=True))
            for each in self.forecasts
        ]
        columns = ["closes_at", "issued_at", "last_close", "outcome", *self.levels]
        return pd.DataFrame(rows, columns=columns).set_index("closes_at")


# Models


class PairStatus(PairSchema):
    """What is served for one pair."""

    version: str | None
    architecture: str | None
    issued_at: datetime | None
    """When the current forecast was issued; null where there is none."""
    problem: str | None
    """Why its model or its candles are not the newest."""


class Pairs(Schema):
    """All configured pairs."""

    pairs: list[PairStatus]
    as_of: datetime | None
    """The date whose champions are served; null for the current ones."""

    def of(self, pair: str) -> PairStatus | None:
        """The status of one pair."""
        return next((each for each in self.pairs if each.pair == pair), None)


class LoadedModels(Schema):
    """The loaded models."""

    number: int
    models: list[str]
    """Pairs."""


class Promotion(Schema):
    """A version became the champion."""

    version: str
    at: datetime
    reason: str


class Model(Schema):
    """The champion of a pair."""

    pair: str
    version: str
    architecture: str
    loaded_at: datetime
    manifest: dict[str, Any]
    """Features, candles, scores on the folds, verdict, checksums."""
    card: dict[str, Any] | None
    """Model card; null where the version has none."""
    promotions: list[Promotion]
    """Champions of the pair so far, oldest first."""


class ChampionVersions(Schema):
    """The champion of a pair and the versions that it can be rolled back to."""

    pair: str
    version: str | None
    """The champion; null where nothing has been published yet."""
    earlier: list[Promotion]
    """The last promotion of each other version, newest first."""


class Rollback(Schema):
    """Result of a rollback."""

    pair: str
    version: str | None
    """The version that this process serves now."""
    message: str


# Operation


class Liveness(Schema):
    """The process is alive."""

    status: str = "alive"


class Readiness(Schema):
    """Whether the API can be used, and what is not up to date."""

    ready: bool
    reasons: list[str]
    """Why the API is not ready; empty where it is."""
    degraded: list[str]
    """What is outdated although an older state is served."""
    database: bool
    """Whether the database of accounts and quotas answers."""


class RunRecord(Schema):
    """One run of one pair's pipeline, started by the hourly job."""

    pair: str
    pipeline: str
    """Such as `monitor_btc_usdt`."""
    hour: datetime
    """The full hour that the run was due at."""
    started: datetime
    ended: datetime
    ok: bool
    exit_code: int
    """Of the run's process; negative for a signal."""
    reason: str
    """The run's last message, or why it failed."""
    missed: int
    """Hours missed before this run, which it made up for."""


class RecentRuns(Schema):
    """The last hourly runs, newest first."""

    runs: list[RunRecord]
    problems: list[str]
    """Why the run log of a pair cannot be read."""


class Problem(Schema):
    """The body of every response that reports an error: problem details (RFC 9457) with a remedy."""

    type: str = Field(examples=["urn:problem-type:make-us-rich:unknown_pair"])
    title: str = Field(examples=["Unknown pair"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["doge_usdt is not served"])
    """What was wrong, for people."""
    instance: str = Field(examples=["/api/v1/volatility/doge_usdt"])
    """The path that was asked for."""
    code: str = Field(examples=["unknown_pair"])
    """The type, for programs; stable between releases."""
    remedy: str | None = Field(None, examples=["choose one of GET /api/v1/pairs"])
    """What to do about it."""
    request_id: str = Field(examples=["8f2c51d0a7e94b1f"])
    """Also in the API's log and in the header `X-Request-ID`."""


# Accounts


class ApiToken(Schema):
    """An API token; it is not shown again."""

    api_token: str = Field(repr=False, examples=["mur_Zk3o8QmS4aB2nXv7cD1eE5Yb1l0gPz0WQy6QmCk1H9m"])


class Login(Schema):
    """A login; its token is not shown again."""

    name: str = Field(examples=["ada"])
    roles: list[str] = Field(examples=[["member"]])
    login_token: str = Field(repr=False, examples=["mul_5Yb1l0gPz0WQy6QmCk1H9mYk3o8QmS4aB2nXv7cD1eE"])
    expires_at: datetime = Field(examples=["2026-01-11T09:00:00Z"])


class PasswordReset(Schema):
    """A token with which a user sets a new password once; it is not shown again."""

    reset_token: str = Field(repr=False, examples=["mup_k3o8QmS4aB2nXv7cD1eE5Yb1l0gPz0WQy6QmCk1H9mY"])
    expires_at: datetime = Field(examples=["2026-01-02T09:00:00Z"])


class Registration(Login, ApiToken):
    """A login and the first API token; neither is shown again."""


Utc = Annotated[datetime, AfterValidator(lambda at: at if at.tzinfo else at.replace(tzinfo=UTC))]
"""A time from a database that may store no zone."""


class LoginTimes(Schema):
    """When a login began and when it ends."""

    created_at: Utc
    expires_at: Utc


class AccountData(Schema):
    """All that is stored of a user but hashes."""

    name: str
    roles: list[str]
    created_at: Utc
    monthly_limit: int | None
    """Calls a month of the user's own; null for those of the roles."""
    logins: list[LoginTimes]
    api_tokens: list[Utc]
    """When each was made."""
    alerts: list[dict[str, Any]]
    """As `GET /api/v1/alerts` lists them."""
    calls: dict[date, int]
    """By the first day of a month, those that are leased included."""


class Usage(Schema):
    """A user, its roles, and the calls of this month."""

    name: str = Field(examples=["ada"])
    roles: list[str] = Field(examples=[["member"]])
    used: int = Field(examples=[137])
    limit: int = Field(examples=[1000])
    remaining: int = Field(examples=[863])
    in_flight: int = Field(0, examples=[12])
    """Calls that the answering process has leased and not made: `used` may be off by as many while they move."""
    reset_at: datetime = Field(examples=["2026-02-01T00:00:00Z"])
    """When the next month begins."""

    @property
    def is_admin(self) -> bool:
        """Whether the user has the role of an admin."""
        return "admin" in self.roles

    def after_a_call(self) -> "Usage":
        """The usage after one more call."""
        return self.model_copy(update={"used": self.used + 1, "remaining": max(0, self.remaining - 1)})


class UserPage(Schema):
    """Users in the order of their names."""

    users: list[Usage]
    next_after: str | None
    """For the next page, as `after`; null on the last one."""


class Plan(Schema):
    """A role and its calls a month; null: the limit of the settings."""

    role: str = Field(examples=["member"])
    monthly_limit: int | None


class Consumption(Schema):
    """The calls of all users this month."""

    used: int = Field(examples=[48_211])
    users: int = Field(examples=[73])


class ClosedLogins(Schema):
    """Number of logins that were ended."""

    closed: int = Field(examples=[2])
