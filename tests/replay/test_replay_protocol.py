"""Parameters and errors over HTTP, as Binance answers them; and the unmodified python-binance clients."""

import asyncio
import gzip
import warnings

import pytest

with warnings.catch_warnings():
    # python-binance imports a name that websockets has deprecated; the test run would stop at it.
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance.client import Client

MALFORMED = "was not sent, was empty/null, or malformed."
LEGAL_SYMBOL = r"^[\w\-._&&[^a-z]]{1,50}$"
FIRST = 1_709_078_400_000
HOUR_MS = 3_600_000


def klines(**changes):
    query = {"symbol": "AAAUSDT", "interval": "1h", **changes}
    return {name: value for name, value in query.items() if value is not None}


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        (klines(symbol=None), -1102, f"Mandatory parameter 'symbol' {MALFORMED}"),
        (klines(interval=None), -1102, f"Mandatory parameter 'interval' {MALFORMED}"),
        (klines(symbol="aaausdt"), -1100, f"in parameter 'symbol'; legal range is '{LEGAL_SYMBOL}'."),
        (klines(symbol="AAA/USDT"), -1100, "Illegal characters found in parameter 'symbol'"),
        (klines(symbol="ZZZUSDT"), -1121, "Invalid symbol."),
        (klines(interval="7h"), -1120, "Invalid interval."),
        (klines(interval="30m"), -1120, "Invalid interval."),
        (klines(limit="ten"), -1100, "in parameter 'limit'; legal range is '^[0-9]{1,20}$'."),
        (klines(limit="0"), -1130, "Data sent for parameter 'limit' is not valid."),
        (klines(startTime="2024-01-01"), -1100, "in parameter 'startTime'"),
        (klines(timeZone="5"), -1130, "Data sent for parameter 'timeZone' is not valid."),
        (klines(colour="red"), -1101, "Too many parameters; expected '2' and received '3'."),
    ],
)
def test_wrong_klines_parameter_gets_binances_code_and_words(serve, get, hours_folder, query, code, message):
    answer = get(serve(hours_folder), "klines", **query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert message in answer.json()["msg"]


def test_limit_is_500_by_default_and_1000_at_most(serve, get, simulated):
    server = serve(simulated)
    found = [get(server, "klines", **klines(symbol="BTCUSDT", limit=limit)).json() for limit in (None, 7, 5000)]
    assert list(map(len, found)) == [500, 7, 1000]


@pytest.fixture
def loop():
    """The event loop that even the synchronous client asks for."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    loop.close()
    asyncio.set_event_loop(None)


def test_client_pages_through_everything(serve, loop, market_data):
    server = serve(market_data)
    texts = gzip.decompress((market_data / "CHZUSDT-1h.csv.gz").read_bytes()).decode().splitlines()[1:]
    start, end = int(texts[0].split(",")[0]), int(texts[2499].split(",")[0])
    client = Client(ping=False, requests_params={"timeout": 5})
    client.API_URL = f"{server.url}/api"
    found = client.get_historical_klines("CHZUSDT", "1h", start, end)
    assert [[str(field) for field in row] for row in found] == [text.split(",") for text in texts[:2500]]
    assert [query.get("limit") for _, query in server.requests] == ["1", "1000", "1000", "1000"]
    assert client.get_symbol_info("BTCUSDT")["quoteAsset"] == "USDT"
    assert client.get_symbol_info("ZZZUSDT") is None
    client.close_connection()
