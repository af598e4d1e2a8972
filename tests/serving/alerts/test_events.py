"""What a message says, on normal distributions whose probabilities are in every table."""

from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest

from make_us_rich.client.alerts import LeftBand, Rule, Stale, TouchAbove, VolatilityAbove
from make_us_rich.domain.distribution import normal_scores
from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.forecast import HORIZON, LEVELS, Forecast
from make_us_rich.domain.scenarios import ScenarioRanks
from serving.alerts.events import Seen, describe

ISSUED = datetime(2025, 3, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
SIGMA = 0.01


def make_forecast(last_close: float = 100.0, issued_at: datetime = ISSUED, wider: int | None = None) -> Forecast:
    """A forecast; so many of the 100 past ones were wider, or there were none."""
    normal = np.tile(SIGMA * normal_scores(LEVELS), (HORIZON, 1))
    returns = {"close": normal, "high": normal.clip(min=0), "low": normal.clip(max=0)}
    ranks = None
    if wider is not None:
        widths = np.where(np.arange(100)[:, None] < wider, 1, np.zeros((100, HORIZON)))
        ranks = ScenarioRanks(np.arange(100), np.zeros((100, 3, HORIZON), np.uint16), widths)
    quantiles = tuple(tuple(row) for row in last_close * np.exp(normal))
    return Forecast(
        "btc_usdt", "v1", "har", issued_at, last_close, LEVELS, quantiles, None, None, LEVELS, returns, ranks=ranks
    )


def seen(forecast: Forecast, previous: Forecast | None = None, age: timedelta = HOUR / 2) -> Seen:
    return Seen(forecast, previous, age, "the exchange does not answer")


WILD = VolatilityAbove(kind="volatility_above", percentile=95)
LEFT_BAND, STALE = LeftBand(kind="left_band"), Stale(kind="stale")
AFTER = partial(make_forecast, issued_at=ISSUED + HOUR)


def touch(probability: float) -> TouchAbove:
    """One standard deviation: 15.87 %."""
    return TouchAbove(kind="touch_above", price=100 * np.exp(SIGMA), hours=6, probability=probability)


@pytest.mark.parametrize(
    ("rule", "what", "text"),
    [
        # The normal quantile of 90 % is 1.28155: 100 exp(-0.0128155) to 100 exp(0.0128155).
        (LEFT_BAND, seen(AFTER(101.0), make_forecast()), None),
        (LEFT_BAND, seen(AFTER(101.3), make_forecast()), "above the 80 % band that was forecast for that hour, 98.72"),
        (LEFT_BAND, seen(AFTER(98.7), make_forecast()), "btc_usdt closed at 98.7 at 2025-03-01 11:00 UTC, below"),
        (LEFT_BAND, seen(make_forecast()), None),
        (LEFT_BAND, seen(make_forecast(), make_forecast(50.0, ISSUED - 25 * HOUR)), None),
        (touch(0.15), seen(make_forecast()), "touches 101.00502 within 6 h with a probability of 15.9%, above 15.0%"),
        (touch(0.16), seen(make_forecast()), None),
        (touch(0.15), seen(make_forecast(), age=2.5 * HOUR), None),
        (WILD, seen(make_forecast(wider=4)), "is 1.00% for the next 24 h, at percentile 96 of the last year's"),
        (WILD, seen(make_forecast(wider=5)), None),
        (STALE, seen(make_forecast(), age=2 * HOUR), None),
        (
            STALE,
            seen(make_forecast(), age=2.5 * HOUR),
            "is 2.5 hours old, issued at 2025-03-01 10:00 UTC (the",
        ),
    ],
)
def test_a_rule_is_met_beyond_its_limit_and_not_at_it(rule: Rule, what: Seen, text: str | None) -> None:
    found = describe(rule, what)

    assert found is None if text is None else text in str(found)


def test_a_volatility_without_a_percentile_is_refused() -> None:
    with pytest.raises(ParameterError, match="has no percentile yet; wait"):
        describe(WILD, seen(make_forecast()))
