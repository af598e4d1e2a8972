"""The simulated market: the same for everyone, consistent, and with the habits of real candles."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.times import to_ms
from make_us_rich.replay import SimulatedMarket

YEAR_2020 = to_ms(datetime(2020, 1, 1, tzinfo=UTC))
YEAR_2023 = to_ms(datetime(2023, 1, 1, tzinfo=UTC))


def frame(market, symbol="BTCUSDT", now=YEAR_2023):
    """Closed candles until now, ``[candle, column]`` as floats."""
    series = market.series(symbol, now)
    return np.array([json.loads(row) for row in series.rows[: series.closed(now)]], dtype=float)


@pytest.fixture(scope="module")
def candles(simulated):
    return frame(simulated)


@pytest.fixture(scope="module")
def returns(candles):
    return np.log(candles[:, 4] / candles[:, 1])


def test_history_begins_in_august_2017_and_has_every_hour(candles):
    assert candles[0, 0] == to_ms(datetime(2017, 8, 17, tzinfo=UTC))
    assert set(np.diff(candles[:, 0])) == {3_600_000}


def test_history_does_not_depend_on_when_or_how_it_is_asked(candles):
    later_first = SimulatedMarket(seed=7)
    later_first.series("ETHUSDT", YEAR_2020)
    later_first.series("BTCUSDT", YEAR_2023 + 10**9)
    early = frame(later_first, now=YEAR_2020)
    assert np.array_equal(early, candles[: len(early)])


@pytest.mark.parametrize(("symbol", "seed"), [("ETHUSDT", 7), ("BTCUSDT", 8)])
def test_another_symbol_or_seed_has_another_history(candles, symbol, seed):
    other = frame(SimulatedMarket(seed), symbol, YEAR_2020)
    assert not np.array_equal(other[:100, 4] / other[0, 4], candles[:100, 4] / candles[0, 4])


def test_open_is_the_close_before(candles):
    assert np.array_equal(candles[1:, 1], candles[:-1, 4])


def test_high_and_low_enclose_open_and_close(candles):
    assert (candles[:, 2] >= candles[:, [1, 4]].max(axis=1)).all()
    assert (candles[:, 3] <= candles[:, [1, 4]].min(axis=1)).all()


def test_all_quantities_are_positive_and_taker_buys_are_a_part(candles):
    assert (candles[:, [1, 2, 3, 4, 5, 7, 8, 9, 10]] > 0).all()
    assert (candles[:, 9] < candles[:, 5]).all()
    assert (candles[:, 10] < candles[:, 7]).all()


def test_quote_volume_is_volume_at_a_price_of_the_hour(candles):
    price = candles[:, 7] / candles[:, 5]
    assert ((price >= candles[:, 3]) & (price <= candles[:, 2])).all()


@pytest.mark.parametrize("symbol", ["BTCUSDT", "CHZUSDT", "XYZUSDT", "SHIBBTC", "ETHJPY"])
def test_hourly_volatility_is_that_of_real_pairs(simulated, symbol):
    data = frame(simulated, symbol, YEAR_2020)
    assert 0.002 < np.log(data[:, 4] / data[:, 1]).std() < 0.012


def test_price_of_bitcoin_is_in_the_tens_of_thousands(candles):
    assert 10_000 < np.median(candles[:, 4]) < 200_000


def test_tails_are_fat(returns):
    deviations = (returns - returns.mean()) / returns.std()
    assert (deviations**4).mean() > 4


@pytest.mark.parametrize("lag", [1, 24, 72])
def test_volatility_clusters(returns, lag):
    size = np.abs(returns)
    assert np.corrcoef(size[:-lag], size[lag:])[0, 1] > 0.05


def test_returns_themselves_are_not_correlated(returns):
    assert abs(np.corrcoef(returns[:-1], returns[1:])[0, 1]) < 0.03


def test_american_afternoons_move_more_than_the_asian_morning(candles, returns):
    hour = candles[:, 0] // 3_600_000 % 24
    assert np.abs(returns[hour == 15]).mean() > 1.5 * np.abs(returns[hour == 4]).mean()


def test_weekends_are_quieter(candles, returns):
    weekend = np.array([datetime.fromtimestamp(ms / 1000, UTC).weekday() >= 5 for ms in candles[:, 0]])
    assert np.abs(returns[weekend]).mean() < 0.9 * np.abs(returns[~weekend]).mean()


def test_volume_goes_with_the_range(candles):
    spread = np.log(candles[:, 2] / candles[:, 3])
    assert np.corrcoef(np.log(candles[:, 5]), np.log(spread + 1e-6))[0, 1] > 0.4


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHBTC", "BTCFDUSD", "1INCHUSDT", "EURUSDT", "ABCDEFGHIJUSDC"])
def test_base_with_a_known_quote_exists(simulated, symbol):
    assert simulated.series(symbol, YEAR_2020) is not None


@pytest.mark.parametrize(
    "symbol",
    [
        "NOPEUSDT",
        "NOPECOINBTC",
        "BTCXYZ",
        "USDT",
        "USDTUSDT",
        "AUSDT",
        "123USDT",
        "BTC_USDT",
        "ABCDEFGHIJKUSDT",
    ],
)
def test_other_names_do_not_exist(simulated, symbol):
    assert simulated.series(symbol, YEAR_2020) is None


def test_time_before_the_history_has_no_candles(simulated):
    early = to_ms(datetime(2016, 1, 1, tzinfo=UTC))
    assert simulated.series("DOTUSDT", early).visible(early) == 0


def test_listed_symbols_exist(simulated):
    listed = simulated.symbols()
    assert all(simulated.series(symbol, to_ms(datetime(2017, 8, 18, tzinfo=UTC))) for symbol in listed)


def test_the_end_of_the_simulation_is_named(simulated):
    with pytest.raises(ParameterError, match=r"past the simulated market's end \(2100\); give an earlier time"):
        simulated.series("BTCUSDT", to_ms(datetime(2100, 1, 1, tzinfo=UTC)))


def test_simulation_begins_at_the_real_time():
    assert abs(SimulatedMarket().default_now() - datetime.now(UTC)) < timedelta(minutes=1)
