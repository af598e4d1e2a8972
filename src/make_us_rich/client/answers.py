"""Schemas of the answers that follow from a forecast: probabilities, quantiles, volatility, risk, scenarios."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator

from make_us_rich.client.schemas import Fan, PairSchema, Schema

if TYPE_CHECKING:
    import pandas as pd

    from make_us_rich.domain.forecast import Forecast
else:
    from make_us_rich.client import frames as pd

MAX_LIST = 50
"""Prices, levels or holdings of one request."""
Price = Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)]
Target = Literal["close", "high", "low"]


class Answer(PairSchema):
    """What every answer says of the forecast that it follows from."""

    version: str
    architecture: str
    issued_at: datetime
    """When the newest candle that the forecast uses closed; hours count from then."""
    age_seconds: int
    last_close: float
    fallback: str | None = None
    """Why the baseline forecasts instead of the model; null where the model forecasts."""

    @staticmethod
    def head(forecast: "Forecast", now: datetime, *, simulated: bool) -> dict[str, Any]:
        """These fields for a forecast at a moment of the exchange's clock."""
        fields = "pair", "version", "architecture", "issued_at", "last_close", "fallback"
        age = max(0, int((now - forecast.issued_at).total_seconds()))
        return {"simulated": simulated, "age_seconds": age, **{name: getattr(forecast, name) for name in fields}}


class Chance(Schema):
    """A probability, 0 to 1, or its bound: beyond the outermost levels only that is known."""

    probability: float
    bound: Literal["below", "above"] | None = None
    """Where the true probability lies if the value is only a bound."""


class PriceProbability(Schema):
    """Of one price within some hours."""

    price: float
    hours: int
    closes_at: datetime
    close_above: Chance
    """That the close of the last hour is above the price."""
    close_below: Chance
    touch: Chance
    """That the price is traded before then: the high reaches it, or the low where it is below the last close."""


class Probabilities(Answer):
    """Of closing beyond prices, and of touching them."""

    probabilities: list[PriceProbability]

    def to_frame(self) -> "pd.DataFrame":
        """A row for each price and hour, with columns such as ``touch.probability`` and ``touch.bound``."""
        return pd.json_normalize([each.model_dump() for each in self.probabilities])


class Quantiles(Fan, Answer):
    """Prices that closes, highs or lows stay at or below with the given probabilities."""

    target: Target


class HourVolatility(Schema):
    """Within one to 24 hours."""

    hours: int
    sigma: float
    """Standard deviation of the log return."""
    annual: float
    """The same for a year, if every hour were like these."""
    percentile: float | None
    """Share of the last year's forecasts that were not higher, 0 to 100; null where the pair has traded too short."""


class Volatility(Answer):
    """How far the price may move, by horizon."""

    state: Literal["calm", "usual", "wild"] | None
    """By the 24 hours' percentile: below 25, above 75, or between."""
    volatilities: list[HourVolatility]

    def to_frame(self) -> "pd.DataFrame":
        """``sigma``, ``annual`` and ``percentile`` by ``hours``."""
        return pd.DataFrame([dict(each) for each in self.volatilities]).set_index("hours")


class TailRisk(Schema):
    """Losses in quote currency; below 0 they are gains."""

    level: float
    value_at_risk: float
    """Loss that is not exceeded with this probability."""
    expected_shortfall: float
    """Mean loss where it is exceeded."""


class Exits(Schema):
    """Probabilities of what comes first."""

    target: float
    stop: float
    same_hour: float
    """Both within one hour, whose order is not known."""
    neither: float


class Risk(Answer):
    """What a position may gain or lose, from 1,000 scenarios. Fees, funding and slippage are not in it."""

    side: Literal["long", "short"]
    size: float
    hours: int
    exits: Exits | None
    """Null where neither a stop nor a target is given."""
    tail: list[TailRisk]
    """At 95 and, with enough scenarios, 99 %."""
    results: list[float]
    """Gain at the levels 0.05, 0.1, 0.25, 0.5, 0.75, 0.9 and 0.95, in quote currency."""
    scenarios: int


class Holding(Schema):
    """So much of a coin; below 0 for what is sold short."""

    pair: str = Field(max_length=64)
    size: float = Field(allow_inf_nan=False, ge=-1e15, le=1e15)

    @field_validator("size")
    @classmethod
    def _check_size(cls, size: float) -> float:
        if size == 0:
            raise ValueError("is 0: leave the holding out")
        return size


class Portfolio(Schema):
    """Holdings of several pairs in the same quote currency."""

    holdings: list[Holding] = Field(min_length=1, max_length=MAX_LIST)
    hours: int = Field(default=24, ge=1, le=24)


class HoldingRisk(Schema):
    """One holding's part of a portfolio's expected shortfall, in quote currency; the parts add up to it."""

    pair: str
    size: float
    value: float
    """At the last close."""
    contributions: dict[str, float]
    """By level."""


class PortfolioRisk(Schema):
    """What a portfolio may gain or lose, from scenarios that all its pairs share."""

    simulated: bool = False
    hours: int
    issued_at: datetime
    """Of the oldest forecast among them."""
    value: float
    tail: list[TailRisk]
    holdings: list[HoldingRisk]
    gains: list[float]
    """In each scenario, in quote currency, ascending; below 0 for a loss."""
    scenarios: int


class Scenarios(Answer):
    """Equally likely joint paths, in quote currency; highs and lows are those since the last close."""

    closes_at: list[datetime]
    close: list[list[float]]
    """[scenario][hour]."""
    high: list[list[float]]
    low: list[list[float]]

    def to_frame(self) -> "pd.DataFrame":
        """``close``, ``high`` and ``low`` by ``scenario`` and ``closes_at``."""
        index = pd.MultiIndex.from_product([range(len(self.close)), self.closes_at], names=["scenario", "closes_at"])
        columns = {"close": self.close, "high": self.high, "low": self.low}
        return pd.DataFrame(
            {name: [price for path in paths for price in path] for name, paths in columns.items()}, index
        )
