"""What the API might have answered, small enough to be counted by hand."""

from datetime import UTC, datetime, timedelta

from interface.api_answers import Candles, Edge, Fan, Forecast, PastForecast, PastForecasts, Prediction

HOUR = timedelta(hours=1)
FIRST = datetime(2025, 3, 1, tzinfo=UTC)
LEVELS = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]
SPREADS = [-9.0, -6.0, -2.0, 0.0, 2.0, 6.0, 9.0]


def candles(hours: int = 48, missing: frozenset[int] = frozenset()) -> Candles:
    """One an hour from ``FIRST``, each closing a unit above the last, but for the missing ones."""
    there = [at for at in range(hours) if at not in missing]
    opens = [100.0 + at for at in there]
    return Candles(
        timestamp=[FIRST + at * HOUR for at in there],
        open=opens,
        high=[price + 2 for price in opens],
        low=[price - 1 for price in opens],
        close=[price + 1 for price in opens],
        volume=[5.0] * len(there),
    )


def fan(issued_at: datetime, last: float, width: float = 1.0) -> Fan:
    """Spreads that grow by the hour."""
    return Fan(
        closes_at=[issued_at + hour * HOUR for hour in range(1, 25)],
        levels=LEVELS,
        quantiles=[[last + width * hour * spread for spread in SPREADS] for hour in range(1, 25)],
    )


def prediction(hours: int = 48, *, baseline: bool = True) -> Prediction:
    """Issued when the last of so many candles has closed."""
    data = candles(hours)
    issued_at, last = FIRST + hours * HOUR, data.close[-1]
    forecast = Forecast(
        **fan(issued_at, last).model_dump(),
        issued_at=issued_at,
        last_close=last,
        version="2025-03-01T00.05.00.000Z",
        architecture="har",
        verdict="mean CRPS 3 % below the baseline's",
        edge=Edge(proven=False, reason="no edge"),
        baseline=fan(issued_at, last, 1.5) if baseline else None,
    )
    return Prediction(
        pair="btc_usdt",
        prediction=last,
        prediction_at=issued_at + HOUR,
        age_seconds=60,
        stale=False,
        stale_reason=None,
        data=data,
        forecast=forecast,
    )


def past(horizon: int = 1, hours: tuple[int, ...] = (10, 11, 12, 15, 16), missed: int = 11) -> PastForecasts:
    """Forecasts of the closes after these hours; the 80 % interval is ±6 around 100, and one outcome is outside."""
    forecasts = [
        PastForecast(
            issued_at=FIRST + (at + 1 - horizon) * HOUR,
            closes_at=FIRST + (at + 1) * HOUR,
            last_close=100.0,
            quantiles=[100 + spread for spread in SPREADS],
            outcome=107.0 if at == missed else 101.0,
        )
        for at in hours
    ]
    return PastForecasts(
        pair="btc_usdt",
        version="2025-03-01T00.05.00.000Z",
        source="relived",
        note="",
        horizon=horizon,
        levels=LEVELS,
        coverage={"50": 0.8, "80": 0.8, "90": 1.0},
        forecasts=forecasts,
    )
