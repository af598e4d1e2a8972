from datetime import UTC, datetime, timedelta

import pytest
from kedro.io import DataCatalog, DatasetError

from make_us_rich.datasets.exchange_klines import ExchangeKlinesDataset
from make_us_rich.domain.errors import UnknownPairError

NOW = datetime(2025, 5, 14, 10, 30, tzinfo=UTC)
TOP = datetime(2025, 5, 14, 10, tzinfo=UTC)
KIND = "make_us_rich.datasets.exchange_klines.ExchangeKlinesDataset"


def test_loading_asks_nothing(exchange):
    server = exchange()
    ExchangeKlinesDataset(url=server.url, pair="btc_usdt").load()
    assert server.requests == []


def test_source_tells_the_time_and_the_candles_of_its_pair(exchange):
    server = exchange()
    source = ExchangeKlinesDataset(url=server.url, pair="eth_usdt").load()
    assert source.now() == NOW
    klines = source.between(TOP - timedelta(hours=3), TOP)
    assert len(klines) == 3
    assert server.requests[-1][1]["symbol"] == "ETHUSDT"


def test_interval_may_be_chosen(exchange):
    source = ExchangeKlinesDataset(url=exchange().url, pair="btc_usdt", interval="4h").load()
    opened = source.between(TOP - timedelta(days=1), TOP)["timestamp"]
    assert (opened.diff().dropna() == timedelta(hours=4)).all()


def test_saving_is_refused():
    dataset = ExchangeKlinesDataset(url="http://127.0.0.1:1", pair="btc_usdt")
    with pytest.raises(DatasetError, match="btc_usdt: candles cannot be saved to the exchange"):
        dataset.save("candles")


def test_catalog_factory_fills_in_the_pair(exchange):
    config = {"{pair}.exchange_klines": {"type": KIND, "url": exchange().url, "pair": "{pair}"}}
    source = DataCatalog.from_config(config).load("chz_usdt.exchange_klines")
    assert source.pair.symbol == "CHZUSDT"


def test_description_shows_no_credentials():
    credentials = {"key": "k-1234", "secret": "s-5678"}
    dataset = ExchangeKlinesDataset(url="http://me:hunter2@127.0.0.1:1", pair="btc_usdt", credentials=credentials)
    assert "hunter2" not in f"{dataset!r} {dataset}"
    assert "k-1234" not in f"{dataset!r} {dataset}"
    assert "s-5678" not in f"{dataset!r} {dataset}"
    assert "btc_usdt" in repr(dataset)


def test_key_is_sent(exchange):
    dataset = ExchangeKlinesDataset(url=exchange().url, pair="btc_usdt", credentials={"key": "k-1234"})
    client = dataset.load().client
    client.now()
    assert client._api.session.headers["X-MBX-APIKEY"] == "k-1234"


def test_empty_credentials_are_fine(exchange):
    assert ExchangeKlinesDataset(url=exchange().url, pair="btc_usdt", credentials={}).load().now() == NOW


def test_misspelt_credentials_are_refused_without_showing_them():
    with pytest.raises(DatasetError, match="credentials may hold `key` and `secret`, nothing else") as caught:
        ExchangeKlinesDataset(url="http://127.0.0.1:1", pair="btc_usdt", credentials={"api_key": "k-1234"})
    assert "k-1234" not in str(caught.value)


def test_misspelt_pair_is_refused():
    with pytest.raises(UnknownPairError, match="'BTC' is not a pair"):
        ExchangeKlinesDataset(url="http://127.0.0.1:1", pair="BTC")
