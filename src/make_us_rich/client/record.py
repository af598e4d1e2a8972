"""Schemas of the public record: what was forecast, and what happened."""

from datetime import datetime

from make_us_rich.client.schemas import Schema


class RecordScores(Schema):
    """Forecasts of one horizon and their outcomes, by target: `close`, `high` or `low`.

    Highs and lows are the highest and lowest price until then. A figure is null below 20 outcomes.
    """

    hours: int | None
    """Hours ahead; null for the mean over all of them."""
    outcomes: dict[str, int]
    """Forecasts whose outcome is known: of highs and lows if no candle is missing."""
    coverage: dict[str, float | None]
    """Share of closes within the interval of that many per cent, 0 to 1."""
    skill: dict[str, float | None]
    """Share of the baseline's CRPS that is gone, on the same forecasts: 0 is no better, 1 is perfect."""
    below: dict[str, list[float] | None]
    """Share of outcomes below each quantile; that of a reliable forecast is its level. What is missing to 1 is, for
    highs, how often that price was touched."""


class RecordWindow(Schema):
    """The last days."""

    days: int
    forecasts: int
    missed: int
    """Hours without a forecast."""
    architectures: list[str]
    """Models that have issued the forecasts."""
    overall: RecordScores
    horizons: list[RecordScores]


class MissedHours(Schema):
    """Successive hours without a forecast, for the same reason."""

    first: datetime
    last: datetime
    hours: int
    kind: str
    """For programs, such as `no_run`."""
    reason: str


class PairRecord(Schema):
    """All forecasts of a pair as they were served, whichever model has issued them."""

    pair: str
    simulated: bool
    """Whether the candles come from a simulated market."""
    as_of: datetime | None
    """When the record was last updated, once an hour; null where nothing is recorded yet."""
    levels: list[float]
    """Of the quantiles."""
    windows: list[RecordWindow]
    missed: list[MissedHours]
    """Each hour without a forecast in the longest window, oldest first."""


class PublicRecord(Schema):
    """The record of every pair."""

    pairs: list[PairRecord]
