"""The unmodified python-binance clients, synchronous and asynchronous, over HTTP."""

import gzip

import pytest

from make_us_rich.replay import Faults

FIRST = 1_709_078_400_000
HOUR_MS = 3_600_000


@pytest.fixture
def client(serve, binance, hours_folder):
    return binance(serve(hours_folder))


@pytest.fixture
def run(loop):
    """Run a coroutine of an AsyncClient on a server, and close its session."""
    from binance.async_client import AsyncClient

    def run(server, ask):
        async def session():
            local = type("LocalClient", (AsyncClient,), {"API_URL": f"{server.url}/api"})
            client = await local.create()
            try:
                return await ask(client)
            finally:
                await client.close_connection()

        return loop.run_until_complete(session())

    return run


def test_client_starts_against_its_address(serve, loop, hours_folder):
    from binance.client import Client

    server = serve(hours_folder)
    local = type("LocalClient", (Client,), {"API_URL": f"{server.url}/api"})
    client = local()
    client.close_connection()
    assert server.requests == [("/api/v3/ping", {})]


def test_server_time(client):
    assert client.get_server_time() == {"serverTime": FIRST + 100 * HOUR_MS}


def test_klines(client):
    assert [row[0] for row in client.get_klines(symbol="AAAUSDT", interval="1h", limit=2)] == [
        FIRST + 98 * HOUR_MS,
        FIRST + 99 * HOUR_MS,
    ]


def test_historical_klines_page_through_everything(serve, binance, market_data):
    server = serve(market_data)
    texts = gzip.decompress((market_data / "CHZUSDT-1h.csv.gz").read_bytes()).decode().splitlines()[1:]
    start, end = int(texts[0].split(",")[0]), int(texts[2499].split(",")[0])
    found = binance(server).get_historical_klines("CHZUSDT", "1h", start, end)
    assert [[str(field) for field in row] for row in found] == [text.split(",") for text in texts[:2500]]
    assert [query.get("limit") for _, query in server.requests] == ["1", "1000", "1000", "1000"]


def test_historical_klines_understand_dates_in_words(client):
    found = client.get_historical_klines("AAAUSDT", "1d", "29 Feb, 2024", "1 Mar, 2024")
    assert [row[0] for row in found] == [FIRST + 24 * HOUR_MS, FIRST + 48 * HOUR_MS]


def test_exchange_info_and_symbol_info(client):
    assert [entry["symbol"] for entry in client.get_exchange_info()["symbols"]] == ["AAAUSDT", "BBBUSDT"]
    assert client.get_symbol_info("BBBUSDT")["quoteAsset"] == "USDT"
    assert client.get_symbol_info("ZZZUSDT") is None


def test_symbol_tickers(client):
    last = {"symbol": "AAAUSDT", "price": f"{100 + 99 % 37 + 1}.00"}
    assert client.get_symbol_ticker(symbol="AAAUSDT") == last
    assert client.get_symbol_ticker(symbols='["AAAUSDT"]') == [last]
    assert client.get_all_tickers() == [last, {"symbol": "BBBUSDT", "price": "110.00"}]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"symbol": "ZZZUSDT", "interval": "1h"}, -1121),
        ({"interval": "1h"}, -1102),
        ({"symbol": "btcusdt", "interval": "1h"}, -1100),
        ({"symbol": "AAAUSDT", "interval": "1m"}, -1120),
    ],
)
def test_errors_reach_the_client_with_their_code(client, query, code):
    from binance.exceptions import BinanceAPIException

    with pytest.raises(BinanceAPIException, match=rf"APIError\(code={code}\)") as caught:
        client.get_klines(**query)
    assert (caught.value.status_code, caught.value.code) == (400, code)


def test_rate_limit_reaches_the_client_with_retry_after(serve, binance, hours_folder):
    from binance.exceptions import BinanceAPIException

    server = serve(hours_folder, faults=Faults({"429": 1.0}, times=1, retry_after=3))
    client = binance(server)
    with pytest.raises(BinanceAPIException, match=r"APIError\(code=-1003\)") as caught:
        client.get_klines(symbol="AAAUSDT", interval="1h")
    assert (caught.value.status_code, caught.value.response.headers["Retry-After"]) == (429, "3")
    assert client.get_klines(symbol="AAAUSDT", interval="1h")


def test_html_error_reaches_the_client(serve, binance, hours_folder):
    from binance.exceptions import BinanceAPIException

    client = binance(serve(hours_folder, faults=Faults({"5xx": 1.0})))
    messages = set()
    for _ in range(30):
        with pytest.raises(BinanceAPIException) as caught:
            client.get_klines(symbol="AAAUSDT", interval="1h")
        messages.add(caught.value.message[:40])
    assert "Invalid JSON error message from Binance:" in messages


def test_async_client_asks_the_same_questions(serve, run, hours_folder):
    async def ask(client):
        return (
            await client.get_server_time(),
            await client.get_klines(symbol="AAAUSDT", interval="4h", limit=3),
            await client.get_historical_klines("AAAUSDT", "1h", FIRST, FIRST + 5 * HOUR_MS),
            (await client.get_exchange_info())["timezone"],
            await client.get_symbol_ticker(symbol="BBBUSDT"),
        )

    now, four_hours, history, zone, price = run(serve(hours_folder), ask)
    assert now == {"serverTime": FIRST + 100 * HOUR_MS}
    assert [row[0] for row in four_hours] == [FIRST + hour * HOUR_MS for hour in (88, 92, 96)]
    assert [row[0] for row in history] == [FIRST + hour * HOUR_MS for hour in range(6)]
    assert (zone, price) == ("UTC", {"symbol": "BBBUSDT", "price": "110.00"})


def test_async_client_gets_the_error_code(serve, run, hours_folder):
    from binance.exceptions import BinanceAPIException

    async def ask(client):
        await client.get_klines(symbol="ZZZUSDT", interval="1h")

    with pytest.raises(BinanceAPIException, match=r"APIError\(code=-1121\): Invalid symbol"):
        run(serve(hours_folder), ask)


def test_async_client_meets_the_truncated_answer(serve, run, hours_folder):
    import aiohttp

    async def ask(client):
        await client.get_klines(symbol="AAAUSDT", interval="1h")

    with pytest.raises(aiohttp.ClientPayloadError, match=r"not completed|Not enough data"):
        run(serve(hours_folder, faults=Faults({"truncate": 1.0})), ask)
