"""Forecasts and their record in sentences for somebody who is no data scientist. Plain text, never markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from typing import Literal

from interface.numbers import THIN, between, hours, lasting, percent, quote, utc

Tone = Literal["good", "fair", "poor"]

_EIGHTY = (0.1, 0.9)
_LUCK = 2.0
"""Standard errors that a share may be off by chance."""
ENOUGH = 20
"""Outcomes below which a share of them says nothing: all of three hours held is no 100 %."""


@dataclass(frozen=True)
class Said:
    """A sentence and whether it is good news."""

    text: str
    tone: Tone = "fair"


@dataclass(frozen=True)
class Span:
    """Where a price stays with 80 % probability, in quote currency."""

    low: float
    high: float
    last: float

    @classmethod
    def of(cls, quantiles: Sequence[float], levels: Sequence[float], last: float) -> "Span":
        """From the quantiles of one hour.

        Raises:
            ValueError: The levels have no 80 % interval.
        """
        low, high = (quantiles[list(levels).index(level)] for level in _EIGHTY)
        return cls(low, high, last)

    @property
    def half(self) -> float:
        """Half its width, as a share of the last price."""
        return (self.high - self.low) / (2 * self.last)

    def __str__(self) -> str:
        return " – ".join(between(self.low, self.high))

    def give_or_take(self) -> str:
        """``±0.6 %``."""
        return f"±{percent(self.half, 1 if self.half >= 0.001 else 2)}"


def expected(span: Span, pair: str, horizon: int, closes_at: datetime, now: datetime) -> str:
    """What a range means: in the next hour, by tomorrow, in so many hours; or that its moment is over.

    Args:
        span: The range.
        pair: Name such as ``btc_usdt``.
        horizon: Hours ahead of the forecast.
        closes_at: The moment that is forecast, UTC.
        now: By the same clock.
    """
    low, high = between(span.low, span.high)
    likely = f"between {low} and {high} {quote(pair)} with 80{THIN}% probability ({span.give_or_take()})"
    if closes_at <= now:
        return f"At {utc(closes_at)} the price was expected {likely}; that moment is over."
    when = {1: "In the next hour", 24: "By tomorrow"}.get(horizon, f"In {hours(horizon)}")
    return f"{when}, at {closes_at:%H:%M} UTC, the price is {likely}."


def no_edge(proven: bool, pair: str) -> str:
    """What the middle line is."""
    if proven:
        return (
            "The middle line is the model's own guess at the price: in tests on hours that it had not seen, it was"
            " closer than “the price stays where it is”, and not by luck."
        )
    return (
        f"No edge: nobody has shown to know whether {base(pair)} will rise or fall, and neither does this model, so"
        " its middle line is the last price; what it forecasts is how far the price may move."
    )


def stood_in(reason: str) -> str:
    """Whose forecast it is while the model cannot make one."""
    return f"For now the range is the baseline's, since {reason}."


def base(pair: str) -> str:
    """What is priced: ``BTC``."""
    return pair.partition("_")[0].upper()


def held(share: float | None, count: int, horizon: int) -> Said:
    """The badge of live coverage, ``80 % interval held 79 % of the last 168 hours``, and whether that is as promised.

    Forecasts ``horizon`` hours ahead overlap, so that ``count`` of them say as much as ``count ÷ horizon`` that do not.
    """
    if share is None or not count:
        return Said("No forecast has been checked against what came true yet")
    if count < ENOUGH:
        return Said(f"{hours(count)} checked so far, too few to tell")
    luck = _LUCK * sqrt(0.8 * 0.2 * horizon / count)
    off = share - 0.8
    what = "held" if horizon == 1 else f"at {hours(horizon)} held"
    text = f"80{THIN}% interval {what} {percent(share, 0)} of the last {hours(count)}"
    return Said(text, "good" if abs(off) <= luck else "poor" if off < 0 else "fair")


def as_promised(said: Said) -> str:
    """What the tone of a badge means."""
    return {"good": "as promised", "poor": "too narrow lately", "fair": "wider than needed lately"}[said.tone]


def better(skill: float | None) -> Said:
    """Skill in words: how much closer to the truth than the baseline."""
    if skill is None:
        return Said("not measured yet")
    if skill > 0:
        return Said(f"{percent(skill)} closer to what came true than the baseline", "good")
    if skill < 0:
        return Said(f"{percent(-skill)} further off than the baseline", "poor")
    return Said("as close as the baseline")


def staleness(age: timedelta) -> str:
    """What to tell of old data."""
    return f"The newest candle closed {lasting(age)} ago, so this forecast is older than it should be."


def legend(chosen: str, compared: str | None, horizon: int | None) -> str:
    """What the colours of the chart of a forecast mean.

    Args:
        chosen: The model whose fan is filled.
        compared: The one whose fan is an outline.
        horizon: Of the past forecasts, hours; None where there are none.
    """
    told = [f"Filled: where the price will be with 50, 80 and 90{THIN}% probability ({chosen})."]
    if compared:
        told.append(f"Dashed: the ends of the same 90{THIN}% by {compared}.")
    if horizon:
        told.append(
            f"Behind the candles: the 80{THIN}% range that was forecast {hours(horizon)} before; crosses are misses."
        )
    return " ".join(told)


def where_past_comes_from(source: str) -> str:
    """Whether past forecasts are a record or were made afterwards."""
    if source == "recorded":
        return "Past forecasts are shown as they were published at the time."
    return (
        "Past forecasts were made afterwards by today's model, on candles that its training had not seen: a fair test,"
        " but no record of what was published at the time."
    )


def member_names(architecture: str) -> str:
    """The members of a combination, ``har + lstm``."""
    return architecture.replace("+", " + ")


def capital(text: str) -> str:
    """A reason as the beginning of a sentence."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}"
