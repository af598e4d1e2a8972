"""Paging and ranges, with the real python-binance client over HTTP; and the dataset that gives the client."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError

from make_us_rich.datasets.exchange_klines import ExchangeKlinesDataset
from make_us_rich.domain.klines import KLINE_DTYPES
from make_us_rich.domain.pair import Pair
from make_us_rich.exchange import BinanceClient
from make_us_rich.replay import Clock, ReplayServer

NOW = datetime(2025, 5, 14, 10, 30, tzinfo=UTC)
TOP = datetime(2025, 5, 14, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def calls(server, endpoint):
    return [query for path, query in server.requests if path == f"/api/v3/{endpoint}"]


def test_market_and_status_are_those_that_the_exchange_states(exchange, serve, client_of, market_data):
    client = client_of(exchange())
    assert (client.status("币安人生_usdt"), client.simulated) == ("TRADING", True)
    server = serve(market_data, datetime(2030, 1, 1, tzinfo=UTC))
    client = client_of(server)
    assert (client.status("btc_usdt"), client.simulated) == ("BREAK", False)
    assert calls(server, "exchangeInfo") == [{"symbol": "BTCUSDT"}]


def test_time_is_requested_again_only_when_the_range_needs_it(exchange, client_of):
    server = exchange()
    client = client_of(server)
    client.now()
    client.klines("btc_usdt", TOP - 5 * HOUR, TOP)
    assert len(calls(server, "time")) == 1
    server.clock.advance(HOUR)
    assert client.klines("btc_usdt", TOP, TOP + HOUR)["timestamp"].tolist() == [TOP]
    assert len(calls(server, "time")) == 2


@pytest.fixture(scope="module")
def quiet_client(simulated_market):
    with ReplayServer(simulated_market, clock=Clock(NOW, speed=0)) as server:
        yield BinanceClient(server.url)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(start=st.integers(0, 5000), length=st.one_of(st.integers(0, 3000), st.sampled_from([999, 1000, 1001, 2000])))
def test_paging_returns_each_closed_candle_of_a_half_open_range_once(quiet_client, start, length):
    begin = TOP - start * HOUR
    end = begin + length * HOUR
    klines = quiet_client.klines(Pair("btc", "usdt"), begin, end)
    assert list(klines["timestamp"]) == list(pd.date_range(begin, min(end, TOP), freq="h", inclusive="left"))
    assert {name: str(dtype) for name, dtype in klines.dtypes.items()} == KLINE_DTYPES


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_local_exchange_is_not_asked_through_a_proxy(exchange, client_of, monkeypatch, host):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert client_of(f"{exchange(host=host).url}/").now() == NOW


def test_binance_is_imported_by_the_first_request():
    code = (
        "import sys; from make_us_rich.datasets.exchange_klines import ExchangeKlinesDataset as D;"
        "D(url='http://127.0.0.1:1').load();"
        "sys.exit(sorted({'binance', 'requests', 'aiohttp'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_dataset_loads_a_client_refuses_to_save_and_shows_no_credentials(exchange):
    assert ExchangeKlinesDataset(url=exchange().url).load().now() == NOW
    credentials = {"key": "k-1234", "secret": "s-5678"}
    dataset = ExchangeKlinesDataset(url="http://me:hunter2@127.0.0.1:1", credentials=credentials)
    with pytest.raises(DatasetError, match="candles cannot be saved to the exchange"):
        dataset.save("candles")
    with pytest.raises(DatasetError, match="credentials may hold `key` and `secret`, nothing else") as caught:
        ExchangeKlinesDataset(url="http://127.0.0.1:1", credentials={"api_key": "k-1234"})
    shown = f"{dataset!r} {dataset} {caught.value}"
    assert not [word for word in ("hunter2", "k-1234", "s-5678") if word in shown]
