"""The forecast of a published champion from stored or new candles, for the command line."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import pandas as pd

from make_us_rich.client.answers import Answer, Chance, HourVolatility
from make_us_rich.client.schemas import Fan
from make_us_rich.domain.forecast import Forecast
from make_us_rich.domain.klines import HOUR, hour_of
from make_us_rich.domain.run import utc_now
from make_us_rich.inference.champion import Champion
from make_us_rich.klines.incremental import SIMULATED, annotate, find_corrections
from make_us_rich.repository import ModelRepository

SHOWN_HOURS = (1, 2, 4, 8, 12, 24)
SHOWN_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
STALE_AFTER = 2 * HOUR
"""By then a newer candle can be fetched."""
EVENTS = {"close_above": "closes above", "close_below": "closes below", "touch": "touches"}
"""Names of events and their text."""


class EventProbability(Chance):
    """How likely the last hour closes above or below a price, or the price is touched before then."""

    event: str
    """One of `EVENTS`."""
    price: float


class ForecastReport(Fan, Answer):
    """A forecast hour by hour, and what was asked about its last hour.

    Attributes:
        low: Quantile 0.1 of the lowest low until then, by hour; None if only closes are forecast.
        high: Quantile 0.9 of the highest high until then, by hour.
        volatility: Within all of the hours.
        state: Of the volatility: below a quarter of the last year's, above three quarters, or between.
    """

    low: list[float] | None
    high: list[float] | None
    volatility: HourVolatility
    state: Literal["calm", "usual", "wild"] | None
    events: list[EventProbability]


def forecast(
    pair: str, prices: Mapping[str, Sequence[float]], hours: int, env: str | None = None, *, fetch: bool = False
) -> ForecastReport:
    """Forecast a pair with its champion.

    Args:
        pair: A configured pair.
        prices: Those whose probability is asked for, in quote currency, by a name of `EVENTS`.
        hours: Hours ahead, 1 to 24.
        env: Kedro environment, as in ``open_config``.
        fetch: Request new candles from the exchange, which are not stored, instead of loading the stored ones.

    Raises:
        ArtifactError: No champion or no candles are stored, or they are damaged.
        DataError: The candles do not suffice, or come from another market than the model's.
        ExchangeError: The exchange does not answer.
        ParameterError: The hours are not forecast, or a price is not a positive number.
        UnknownPairError: The pair is not configured.
    """
    repository, pair = ModelRepository.open(env), pair.lower()
    repository.require_configured(pair)
    model = repository.model(pair)
    klines, now = _fetch(repository, model) if fetch else (repository.load(f"{pair}.klines"), utc_now())
    return _report(model.forecast(klines), prices, hours, now, simulated=klines.attrs.get(SIMULATED, False))


def render(report: ForecastReport) -> str:
    """The report as text."""
    age, hours = timedelta(seconds=report.age_seconds), report.volatility.hours
    market = "; the market is simulated" if report.simulated else ""
    lines = [
        f"{report.pair}: {report.last_close:.8g} at {report.issued_at:%Y-%m-%d %H:%M} UTC, {age // HOUR} h ago{market}",
        f"{report.architecture}, version {report.version}",
    ]
    if report.fallback:
        lines.append(report.fallback)
    if age >= STALE_AFTER:
        lines.append("the stored candles are old: add --fetch, or run the pair")
    extremes = {"low 10%": report.low, "high 90%": report.high} if report.low and report.high else {}
    lines += [*tabulate(report, extremes), "", f"volatility within {hours} h: {report.volatility.sigma:.2%}"]
    if report.state:
        lines[-1] += f", {report.state} (higher than {report.volatility.percentile:.0f} % of the last year's forecasts)"
    for each in report.events:
        bound = {"below": "less than ", "above": "more than ", None: ""}[each.bound]
        lines.append(f"{EVENTS[each.event]} {each.price:.8g} within {hours} h: {bound}{each.probability:.1%}")
    return "\n".join(lines)


def tabulate(fan: Fan, columns: Mapping[str, Sequence[float]] | None = None) -> list[str]:
    """Lines of a table of quantiles and of other prices by hour; rows are ``SHOWN_HOURS`` and the last hour."""
    hours = len(fan.closes_at)
    frame = fan.to_frame()[list(SHOWN_LEVELS)].rename(columns="{:.0%}".format).assign(**columns or {})
    frame = frame.iloc[[hour - 1 for hour in sorted({*SHOWN_HOURS, hours}) if hour <= hours]]
    frame.index = pd.Index([f"{at:%d %b %H:%M}   " for at in frame.index])
    text = frame.to_string(float_format=lambda price: f"{price:.{6 if price < 1e6 else 10}g}", col_space=9)
    head, *rows = text.splitlines()
    title = "closes at (UTC)"
    return [title + head[len(title) :], *rows]


def _fetch(repository: ModelRepository, model: Champion) -> tuple[pd.DataFrame, datetime]:
    """The newest candles of the exchange, which must be of the stored ones' market, and its time."""
    pair = model.manifest.pair
    exchange, stored = (repository.load(f"{pair}.{name}") for name in ("exchange_klines", "stored_klines"))
    now = exchange.now()
    # One more than needed: the exchange may not have the newest one yet.
    klines = exchange.klines(pair, hour_of(now) - (model.candles + 1) * HOUR, hour_of(now))
    find_corrections(stored, klines, pair, simulated=exchange.simulated)
    return annotate(klines, stored, now, simulated=exchange.simulated), now


def _report(
    found: Forecast, prices: Mapping[str, Sequence[float]], hours: int, now: datetime, *, simulated: bool
) -> ForecastReport:
    volatility = found.volatility(hours)
    both = "high" in found.returns
    return ForecastReport(
        **Answer.head(found, now, simulated=simulated),
        closes_at=[found.issued_at + hour * HOUR for hour in range(1, hours + 1)],
        levels=list(found.return_levels),
        quantiles=found.prices("close", found.return_levels)[:hours].tolist(),
        low=found.prices("low", [0.1])[:hours, 0].tolist() if both else None,
        high=found.prices("high", [0.9])[:hours, 0].tolist() if both else None,
        volatility=HourVolatility.model_validate(volatility, from_attributes=True),
        state=volatility.word,
        events=[_probability(found, event, price, hours) for event, listed in prices.items() for price in listed],
    )


def _probability(found: Forecast, event: str, price: float, hours: int) -> EventProbability:
    if event == "touch":
        chance = found.touch(price, hours)
    else:
        chance = found.probability(price, hours, below=event == "close_below")
    return EventProbability(event=event, price=price, probability=chance.value, bound=chance.bound)
