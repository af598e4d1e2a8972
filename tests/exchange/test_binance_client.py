"""Paging and ranges, with the real python-binance client over HTTP."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from make_us_rich.domain.errors import ParameterError, UnknownPairError
from make_us_rich.domain.klines import KLINE_DTYPES
from make_us_rich.domain.pair import Pair
from make_us_rich.exchange import BinanceClient
from make_us_rich.exchange.intervals import INTERVALS
from make_us_rich.replay import Clock, FolderMarket, ReplayServer

NOW = datetime(2025, 5, 14, 10, 30, tzinfo=UTC)
TOP = datetime(2025, 5, 14, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def calls(server, question="klines"):
    return [query for path, query in server.requests if path == f"/api/v3/{question}"]


def hourly(start, end):
    return list(pd.date_range(start, end, freq="h", inclusive="left"))


def test_now_is_the_clock_of_the_exchange(exchange, client_of):
    assert client_of(exchange()).now() == NOW


def test_candles_have_the_kline_schema(exchange, client_of):
    klines = client_of(exchange()).klines("btc_usdt", TOP - 3 * HOUR, TOP)
    assert {name: str(dtype) for name, dtype in klines.dtypes.items()} == KLINE_DTYPES


def test_range_is_half_open(exchange, client_of):
    klines = client_of(exchange()).klines(Pair("btc", "usdt"), TOP - 3 * HOUR, TOP - HOUR)
    assert list(klines["timestamp"]) == [TOP - 3 * HOUR, TOP - 2 * HOUR]


def test_empty_range_asks_for_no_candles(exchange, client_of):
    server = exchange()
    assert client_of(server).klines("btc_usdt", TOP, TOP).empty
    assert calls(server) == []


def test_candle_that_is_still_open_is_left_out(exchange, client_of):
    klines = client_of(exchange()).klines("btc_usdt", TOP - 2 * HOUR, NOW + HOUR)
    assert list(klines["timestamp"]) == [TOP - 2 * HOUR, TOP - HOUR]


def test_five_days_are_120_hours_in_one_call(exchange, client_of):
    server = exchange()
    klines = client_of(server).five_days("btc_usdt")
    assert list(klines["timestamp"]) == hourly(TOP - 120 * HOUR, TOP)
    assert (len(calls(server)), len(calls(server, "time"))) == (1, 1)


def test_one_year_is_8760_hours_in_nine_calls(exchange, client_of):
    server = exchange()
    klines = client_of(server).one_year("btc_usdt")
    assert list(klines["timestamp"]) == hourly(TOP - 8760 * HOUR, TOP)
    assert (len(calls(server)), len(calls(server, "time"))) == (9, 1)


@pytest.mark.parametrize(
    ("interval", "step", "last", "number"),
    [
        ("4h", "4h", datetime(2025, 5, 14, 4, tzinfo=UTC), 30),
        ("1d", "D", datetime(2025, 5, 13, tzinfo=UTC), 5),
    ],
)
def test_five_days_of_other_intervals(exchange, client_of, interval, step, last, number):
    klines = client_of(exchange()).five_days("btc_usdt", interval)
    assert list(klines["timestamp"]) == list(pd.date_range(end=last, periods=number, freq=step))
    assert (klines["close_time"] < NOW).all()


def test_one_year_of_days(exchange, client_of):
    klines = client_of(exchange()).one_year("btc_usdt", "1d")
    assert len(klines) == 365


@pytest.mark.parametrize("interval", [name for name, length in INTERVALS.items() if length >= HOUR])
def test_every_interval_that_the_exchange_builds_is_closed_and_unique(exchange, client_of, interval):
    klines = client_of(exchange()).klines("btc_usdt", NOW - timedelta(days=100), NOW, interval)
    assert len(klines)
    assert klines["timestamp"].is_monotonic_increasing
    assert klines["timestamp"].is_unique
    assert (klines["close_time"] < NOW).all()


def test_unknown_interval_lists_the_known_ones(exchange, client_of):
    server = exchange()
    with pytest.raises(ParameterError, match=r"'7h' is no interval of Binance; choose one of 1s, 1m, .*1w, 1M"):
        client_of(server).klines("btc_usdt", TOP - HOUR, TOP, "7h")
    assert server.requests == []


def test_time_without_a_zone_is_refused(exchange, client_of):
    with pytest.raises(ParameterError, match=r"no time zone; write it as 2025-05-14T00:00:00\+00:00"):
        client_of(exchange()).klines("btc_usdt", datetime(2025, 5, 14), TOP)  # noqa: DTZ001


def test_misspelt_pair_is_refused(exchange, client_of):
    with pytest.raises(UnknownPairError, match="'BTCUSDT' is not a pair"):
        client_of(exchange()).five_days("BTCUSDT")


def test_times_of_another_zone_are_understood(exchange, client_of):
    start = pd.Timestamp(TOP - 2 * HOUR).tz_convert("Asia/Tokyo")
    klines = client_of(exchange()).klines("btc_usdt", start, TOP)
    assert klines["timestamp"][0] == TOP - 2 * HOUR


def test_exchange_that_has_nothing_there_gives_an_empty_frame(exchange, client_of):
    server = exchange()
    early = datetime(2015, 1, 1, tzinfo=UTC)
    assert client_of(server).klines("btc_usdt", early, early + 10 * HOUR).empty
    assert len(calls(server)) == 1


def test_time_is_asked_again_only_when_the_range_needs_it(exchange, client_of):
    server = exchange()
    client = client_of(server)
    client.now()
    client.klines("btc_usdt", TOP - 5 * HOUR, TOP)
    client.klines("btc_usdt", TOP - 5 * HOUR, TOP - HOUR)
    assert len(calls(server, "time")) == 1
    server.clock.advance(HOUR)
    assert client.klines("btc_usdt", TOP, TOP + HOUR)["timestamp"].tolist() == [TOP]
    assert len(calls(server, "time")) == 2


@pytest.fixture(scope="module")
def quiet_client(simulated_market):
    with ReplayServer(simulated_market, clock=Clock(NOW, speed=0)) as server:
        yield BinanceClient(server.url)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    start=st.integers(0, 5000),
    length=st.one_of(st.integers(0, 3000), st.sampled_from([999, 1000, 1001, 2000])),
)
def test_paging_returns_each_candle_once(quiet_client, start, length):
    begin = TOP - start * HOUR
    klines = quiet_client.klines("btc_usdt", begin, begin + length * HOUR)
    assert list(klines["timestamp"]) == hourly(begin, min(begin + length * HOUR, TOP))


def test_irregular_history_is_paged_candle_for_candle(market_data, exchange, client_of):
    folder = market_data / "irregular"
    written = pd.read_csv(folder / "BTCUSDT-1h-2017-2020.csv.gz")
    first = datetime(2017, 8, 17, tzinfo=UTC)
    server = exchange(FolderMarket(folder), now=datetime(2020, 12, 1, tzinfo=UTC))
    klines = client_of(server).klines("btc_usdt", first, datetime(2020, 12, 1, tzinfo=UTC))
    assert klines["timestamp"].astype("int64").tolist() == written["open_time"].tolist()
    assert klines["close_time"].astype("int64").tolist() == written["close_time"].tolist()
    np.testing.assert_array_equal(klines["close"], written["close"])


def test_one_client_serves_many_threads(exchange, client_of):
    client = client_of(exchange())
    pairs = ["btc_usdt", "eth_usdt", "chz_usdt"] * 5
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(client.five_days, pairs))
    for pair, answer in zip(pairs, answers, strict=True):
        pd.testing.assert_frame_equal(answer, client.five_days(pair))


def test_local_exchange_is_not_asked_through_a_proxy(exchange, client_of, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert client_of(exchange()).now() == NOW


def test_address_may_end_in_a_slash(exchange, client_of):
    assert client_of(f"{exchange().url}/").now() == NOW


def test_binance_is_imported_only_when_it_is_asked():
    code = (
        "import sys; from make_us_rich.datasets.exchange_klines import ExchangeKlinesDataset as D;"
        "D(url='http://127.0.0.1:1', pair='btc_usdt').load();"
        "sys.exit(sorted({'binance', 'requests', 'aiohttp'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
