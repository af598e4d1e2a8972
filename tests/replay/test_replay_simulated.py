"""The simulated market: the same for everyone, consistent, and with the statistics of real candles."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from make_us_rich.domain.klines import to_ms
from make_us_rich.domain.pair import Pair
from make_us_rich.replay import SimulatedMarket
from make_us_rich.replay.simulated import pair_names

YEAR_2020 = to_ms(datetime(2020, 1, 1, tzinfo=UTC))
YEAR_2023 = to_ms(datetime(2023, 1, 1, tzinfo=UTC))


def frame(market, symbol="BTCUSDT", now=YEAR_2023):
    """Closed candles until now, ``[candle, column]`` as floats."""
    series = market.series(symbol, now)
    return np.array([json.loads(row) for row in series.rows[: series.closed(now)]], dtype=float)


@pytest.fixture(scope="module")
def candles(simulated):
    return frame(simulated)


def test_history_does_not_depend_on_when_or_how_it_is_asked(candles):
    later_first = SimulatedMarket(seed=7)
    later_first.series("ETHUSDT", YEAR_2020)
    later_first.series("BTCUSDT", YEAR_2023 + 10**9)
    early = frame(later_first, now=YEAR_2020)
    assert np.array_equal(early, candles[: len(early)])


def test_candles_are_consistent_positive_and_taker_buys_are_a_part(candles):
    assert (candles[:, 2] >= candles[:, [1, 4]].max(axis=1)).all()
    assert (candles[:, 3] <= candles[:, [1, 4]].min(axis=1)).all()
    assert (candles[:, [1, 2, 3, 4, 5, 7, 8, 9, 10]] > 0).all()
    assert (candles[:, [9, 10]] < candles[:, [5, 7]]).all()


@pytest.mark.parametrize("symbol", ["BTCUSDT", "CHZUSDT", "XYZUSDT", "SHIBBTC", "ETHJPY"])
def test_hourly_volatility_is_that_of_real_pairs(simulated, symbol):
    data = frame(simulated, symbol, YEAR_2020)
    assert 0.002 < np.log(data[:, 4] / data[:, 1]).std() < 0.012


def test_tails_are_fat_and_volatility_clusters(candles):
    returns = np.log(candles[:, 4] / candles[:, 1])
    deviations = (returns - returns.mean()) / returns.std()
    assert (deviations**4).mean() > 4
    for lag in (1, 24, 72):
        assert np.corrcoef(np.abs(returns[:-lag]), np.abs(returns[lag:]))[0, 1] > 0.05


EXISTING = ("BTCUSDT", "ETHBTC", "BTCFDUSD", "1INCHUSDT", "EURUSDT", "ABCDEFGHIJUSDC", "WUSDT", "币安人生USDT")
OTHERS = ("NOPEUSDT", "NOPECOINBTC", "BTCXYZ", "USDT", "USDTUSDT", "123USDT", "btcUSDT", "BTCUSD", "BTC_USDT")


@pytest.mark.parametrize("symbol", [*EXISTING, *OTHERS, "ABCDEFGHIJKUSDT"])
def test_bases_with_a_known_quote_exist_and_other_names_do_not(simulated, symbol):
    assert (simulated.series(symbol, YEAR_2020) is not None) == (symbol in EXISTING)


def test_candles_of_a_symbol_and_seed_never_change():
    """Demos, records and stored models stand on these candles."""
    row = SimulatedMarket(seed=42).series("BTCUSDT", YEAR_2020).rows[20_000]
    assert row == (
        b'[1574928000000,"97369.88000000","97570.01000000","97219.37000000","97272.22000000","3.58000000",1574931599999,"348541.17460000",480,"1.64843000","160487.63364410","0"]'
    )


def test_four_hundred_pairs_are_different_traded_and_begin_with_the_configured_ones(simulated):
    names = pair_names(400)
    assert names[:3] == ["btc_usdt", "eth_usdt", "chz_usdt"]
    assert len(set(names)) == 400
    assert None not in [simulated.series(Pair.parse(name).symbol, 0) for name in names]
    assert names[:40] == pair_names(40)
