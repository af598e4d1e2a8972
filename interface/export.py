"""What is on the screen, as CSV: times in UTC, prices in quote currency, one header line."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from interface.api_answers import Candles, Fan, Prediction
from make_us_rich.domain.forecast import BASELINE

_CANDLES = ("opened_at", "open", "high", "low", "close", "volume")


def forecast_csv(prediction: Prediction) -> str:
    """The quantiles of every hour ahead, the champion's and then the baseline's."""
    forecast = prediction.forecast
    header = ["pair", "model", "version", "issued_at", "last_close", "hours_ahead", "closes_at"]
    rows = list(_hours(prediction, forecast.architecture, forecast))
    if forecast.baseline and forecast.architecture != BASELINE:
        rows += _hours(prediction, BASELINE, forecast.baseline)
    return _written([*header, *(f"q{level:g}" for level in forecast.levels)], rows)


def candles_csv(candles: Candles) -> str:
    """Closed candles, oldest first; a missing hour has no line."""
    opened = (moment.isoformat() for moment in candles.timestamp)
    rows = zip(opened, candles.open, candles.high, candles.low, candles.close, candles.volume, strict=True)
    return _written(_CANDLES, rows)


def _hours(prediction: Prediction, model: str, fan: Fan) -> Iterable[list[Any]]:
    forecast = prediction.forecast
    issue = [prediction.pair, model, forecast.version, forecast.issued_at.isoformat(), forecast.last_close]
    for ahead, (closes_at, quantiles) in enumerate(zip(fan.closes_at, fan.quantiles, strict=True), 1):
        yield [*issue, ahead, closes_at.isoformat(), *quantiles]


def _written(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
