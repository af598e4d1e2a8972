from datetime import UTC, datetime

import pytest

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS, Forecast

FORECAST = Forecast(
    pair="btc_usdt",
    version="v1",
    architecture="baseline",
    issued_at=datetime(2025, 1, 6, 12, tzinfo=UTC),
    last_close=100.0,
    levels=(0.05, 0.5, 0.95),
    quantiles=((99.0, 100.0, 101.0), (98.0, 100.0, 102.0)),
)


def test_the_levels_and_horizons_are_the_specifications() -> None:
    assert (QUANTILE_LEVELS, HORIZON) == ((0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95), 24)


def test_a_price_is_found_by_horizon_and_level() -> None:
    assert FORECAST.at(2, 0.95) == 102.0


@pytest.mark.parametrize(("horizon", "level"), [(0, 0.5), (3, 0.5), (-1, 0.5), (1, 0.4)])
def test_what_is_not_forecast_is_refused(horizon: int, level: float) -> None:
    with pytest.raises(ValueError, match=rf"no quantile {level} at horizon {horizon}; there are .* for 1 to 2 h"):
        FORECAST.at(horizon, level)


def test_a_forecast_reads_as_one_line() -> None:
    assert str(FORECAST) == (
        "btc_usdt 2025-01-06 12:00 UTC, last close 100: next hour 100, 90 % between 99 and 101 (baseline, version v1)"
    )
