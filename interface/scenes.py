"""From what the API and the catalog say to what the chart of a forecast shows."""

from dataclasses import dataclass
from datetime import timedelta

from interface.api_answers import Candles, Fan, Forecast, PastForecasts, Prediction
from interface.charts.forecast import Scene
from make_us_rich.domain.forecast import BASELINE
from make_us_rich.domain.klines import HOUR


@dataclass(frozen=True)
class Choice:
    """What the user wants to see.

    Attributes:
        pair: Name such as ``btc_usdt``.
        baseline: The baseline's fan instead of the champion's.
        horizon: Hours ahead.
        days: Of candles.
    """

    pair: str
    baseline: bool
    horizon: int
    days: int


def compose(choice: Choice, prediction: Prediction, candles: Candles, past: PastForecasts | None) -> Scene:
    """What is drawn: the record of the past is the champion's, so it is left out where the baseline is looked at."""
    chosen, compared = _fans(choice, prediction.forecast)
    return Scene(
        pair=choice.pair,
        candles=candles,
        last_close=prediction.forecast.last_close,
        fan=chosen,
        compared=compared,
        past=None if past is None or _of_baseline(choice, prediction.forecast) else within(past, candles),
        horizon=choice.horizon,
    )


def chosen_fan(choice: Choice, forecast: Forecast) -> Fan:
    """The fan that the user wants to see; the champion's where no other is stored."""
    return _fans(choice, forecast)[0][1]


def join(older: Candles, newer: Candles, days: int) -> Candles:
    """The candles of the last days, the API's where both have one.

    Args:
        older: From the catalog.
        newer: From the API; one at least.
        days: Up to the newest candle.
    """
    since = newer.timestamp[-1] - timedelta(days=days)
    before = [at for at, opened in enumerate(older.timestamp) if since < opened < newer.timestamp[0]]
    after = [at for at, opened in enumerate(newer.timestamp) if since < opened]
    columns = {
        name: [getattr(older, name)[at] for at in before] + [getattr(newer, name)[at] for at in after]
        for name in Candles.model_fields
    }
    return Candles.model_validate(columns)


def within(past: PastForecasts, candles: Candles) -> PastForecasts:
    """The past forecasts of hours whose candles are shown, so that the chart begins where its candles do."""
    first = candles.timestamp[0] + HOUR
    kept = [each for each in past.forecasts if each.closes_at >= first]
    return past.model_copy(update={"forecasts": kept})


def _of_baseline(choice: Choice, forecast: Forecast) -> bool:
    return choice.baseline and forecast.architecture != BASELINE


def _fans(choice: Choice, forecast: Forecast) -> tuple[tuple[str, Fan], tuple[str, Fan] | None]:
    """The chosen fan and the one beside it, each with its name."""
    own = (forecast.architecture, forecast)
    if forecast.baseline is None or forecast.architecture == BASELINE:
        return own, None
    other = (BASELINE, forecast.baseline)
    return (other, own) if choice.baseline else (own, other)
