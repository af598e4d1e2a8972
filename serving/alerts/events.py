"""What has happened by a rule, in plain text with its figures."""

from dataclasses import dataclass
from datetime import timedelta

from make_us_rich.client.alerts import LeftBand, Rule, Stale, TouchAbove
from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.forecast import HORIZON, Forecast
from make_us_rich.domain.klines import HOUR

MAX_AGE = 2 * HOUR
"""An older forecast is stale."""


@dataclass(frozen=True)
class Seen:
    """The newest forecast of a pair.

    Attributes:
        forecast: The forecast.
        previous: The one before it; None after the start of the process.
        age: Since the forecast was issued, by the exchange's clock.
        problem: Why there is no newer forecast; None if it is the newest.
    """

    forecast: Forecast
    previous: Forecast | None
    age: timedelta
    problem: str | None


def describe(rule: Rule, seen: Seen) -> str | None:
    """What has happened, in one sentence or two; None if nothing has.

    Raises:
        ParameterError: The pair's model does not forecast what the rule needs.
    """
    forecast, issued = seen.forecast, f"{seen.forecast.issued_at:%Y-%m-%d %H:%M} UTC"
    if isinstance(rule, Stale):
        if seen.age <= MAX_AGE:
            return None
        cause = f" ({seen.problem})" if seen.problem else ""
        hours = seen.age.total_seconds() / HOUR.total_seconds()
        return f"The forecast of {forecast.pair} is {hours:.1f} hours old, issued at {issued}{cause}."
    if seen.age > MAX_AGE:
        return None
    if isinstance(rule, LeftBand):
        return _describe_close(forecast, seen.previous)
    after = f"after the close of {forecast.last_close:.8g} at {issued}"
    if isinstance(rule, TouchAbove):
        chance = forecast.touch(rule.price, rule.hours).value
        if chance <= rule.probability:
            return None
        return (
            f"{forecast.pair} touches {rule.price:.8g} within {rule.hours} h with a probability of {chance:.1%},"
            f" above {rule.probability:.1%}, {after}."
        )
    volatility = forecast.volatility(HORIZON)
    if volatility.percentile is None:
        raise ParameterError(
            f"{forecast.pair}: the volatility has no percentile yet", "wait until it has traded longer"
        )
    if volatility.percentile <= rule.percentile:
        return None
    return (
        f"The volatility of {forecast.pair} is {volatility.sigma:.2%} for the next {HORIZON} h, at percentile"
        f" {volatility.percentile:.0f} of the last year's forecasts, above {rule.percentile:g}, {after}."
    )


def _describe_close(forecast: Forecast, previous: Forecast | None) -> str | None:
    hours = (forecast.issued_at - previous.issued_at) // HOUR if previous else 0
    if previous is None or not 1 <= hours <= HORIZON:
        return None
    low, high = (previous.quantile("close", hours, level) for level in (0.1, 0.9))
    if low <= forecast.last_close <= high:
        return None
    side = "below" if forecast.last_close < low else "above"
    return (
        f"{forecast.pair} closed at {forecast.last_close:.8g} at {forecast.issued_at:%Y-%m-%d %H:%M} UTC, {side} the"
        f" 80 % band that was forecast for that hour, {low:.8g} to {high:.8g}."
    )
