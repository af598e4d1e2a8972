"""Frames, fans, sentences and CSV exports of a forecast, from API responses and the user's selection."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from interface.charts.style import timestamps
from interface.formatting import NBSP, count, interval_ends, percent, quote, utc
from make_us_rich.backtest.score_table import INTERVALS
from make_us_rich.client.schemas import Fan, Forecast, PastForecasts, Prediction
from make_us_rich.domain.forecast import BASELINE
from make_us_rich.domain.klines import HOUR


@dataclass(frozen=True)
class Selection:
    """What the user has selected on the page Forecast."""

    pair: str
    baseline: bool  # show the baseline's fan instead of the champion's
    horizon: int  # hours ahead
    days: int  # days of candles
    high_low: bool = False  # show the range of highs and lows instead of the closes

    def is_reference(self, forecast: Forecast) -> bool:
        """Whether the baseline is shown beside another champion, whose past forecasts and skill it does not have."""
        return self.baseline and forecast.architecture != BASELINE

    def fans(self, forecast: Forecast) -> "tuple[NamedFan, NamedFan | None]":
        """The fan to fill and the fan to outline; the latter is None where the forecast has no separate baseline."""
        own = NamedFan(forecast.architecture, forecast, forecast.last_close)
        if forecast.baseline is None or forecast.architecture == BASELINE:
            return own, None
        other = NamedFan(BASELINE, forecast.baseline, forecast.last_close)
        return (other, own) if self.baseline else (own, other)


@dataclass(frozen=True)
class NamedFan:
    """The forecast of one model: its architecture, quantiles, and the last close, where the fan opens."""

    name: str
    fan: Fan
    last_close: float

    def prices(self, level: float) -> list[float]:
        """The last close and the quantiles of one level after it."""
        column = self.fan.levels.index(level)
        return [self.last_close, *(row[column] for row in self.fan.quantiles)]

    def interval(self, coverage: int, hour: int) -> tuple[float, float]:
        """Ends of the interval of 50, 80 or 90 % at one hour ahead."""
        low, high = (self.prices(level)[hour] for level in INTERVALS[coverage])
        return low, high

    def relative_range(self, hour: int) -> str:
        """Half the width of the 80 % interval relative to the last close: ``±0.6 %``."""
        low, high = self.interval(80, hour)
        half = (high - low) / (2 * self.last_close)
        return f"±{percent(half, 1 if half >= 0.001 else 2)}"

    @property
    def moments(self) -> list[str]:
        """Of ``prices``, as Plotly reads them."""
        return timestamps([self.fan.closes_at[0] - HOUR, *self.fan.closes_at])


def describe_range(fan: NamedFan, pair: str, hour: int, now: datetime) -> str:
    """The 80 % interval at one hour ahead as a sentence, in the past tense where its moment has passed."""
    low, high = interval_ends(*fan.interval(80, hour))
    likely = f"between {low} and {high} {quote(pair)} with 80{NBSP}% probability ({fan.relative_range(hour)})"
    closes_at = fan.fan.closes_at[hour - 1]
    if closes_at <= now:
        return f"The price at {utc(closes_at)} was forecast {likely}; that moment has passed."
    when = {1: "In the next hour", 24: "By tomorrow"}.get(hour, f"In {count(hour, 'hour')}")
    return f"{when}, at {closes_at:%H:%M} UTC, the price is {likely}."


def describe_high_low(fan: NamedFan, pair: str, hour: int) -> str:
    """The range that all prices until one hour ahead stay in as a sentence."""
    low, high = interval_ends(*fan.interval(80, hour))
    until = f"Until {utc(fan.fan.closes_at[hour - 1])} no price is"
    return f"{until} below {low} or above {high} {quote(pair)}, with at least 80{NBSP}% probability."


def join_candles(older: pd.DataFrame | None, newer: pd.DataFrame, days: int) -> pd.DataFrame:
    """The last days of candles; where both frames have a candle, that of ``newer``. ``older`` may be None."""
    joined = pd.concat([older, newer]).drop_duplicates("timestamp", keep="last").sort_values("timestamp")
    since = newer["timestamp"].iloc[-1] - pd.Timedelta(days=days)
    recent: pd.DataFrame = joined[joined["timestamp"] > since].reset_index(drop=True)
    return recent


def past_intervals(past: PastForecasts, candles: pd.DataFrame) -> pd.DataFrame:
    """Past 80 % intervals and their outcomes in quote currency, for hours whose candles are shown.

    The column ``run`` is a number that consecutive hours share; ``missed`` is true for an outcome outside.
    """
    low, high = (past.levels.index(level) for level in INTERVALS[80])
    rows = [(each.closes_at, each.quantiles[low], each.quantiles[high], each.outcome) for each in past.forecasts]
    frame = pd.DataFrame(rows, columns=["closes_at", "low", "high", "outcome"])
    frame["closes_at"] = pd.to_datetime(frame["closes_at"], utc=True)
    shown: pd.DataFrame = frame[frame["closes_at"] > candles["timestamp"].iloc[0]]
    return shown.assign(
        missed=~shown["outcome"].between(shown["low"], shown["high"]), run=(shown["closes_at"].diff() != HOUR).cumsum()
    )


def forecast_csv(prediction: Prediction, shown: NamedFan) -> str:
    """The quantiles of a forecast, one row for each hour ahead."""
    forecast, fan = prediction.forecast, shown.fan
    quantiles = fan.to_frame().rename(columns="q{:g}".format).reset_index(drop=True)
    columns = {
        "pair": prediction.pair,
        "model": shown.name,
        "version": forecast.version,
        "simulated": prediction.simulated,
        "issued_at": forecast.issued_at.isoformat(),
        "last_close": forecast.last_close,
        "hours_ahead": quantiles.index + 1,
        "closes_at": [moment.isoformat() for moment in fan.closes_at],
    }
    return pd.DataFrame(columns, index=quantiles.index).join(quantiles).to_csv(index=False)


def candles_csv(candles: pd.DataFrame) -> str:
    """Closed candles, oldest first; a missing hour has no row."""
    named = candles.rename(columns={"timestamp": "opened_at"})
    return named.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S+00:00")
