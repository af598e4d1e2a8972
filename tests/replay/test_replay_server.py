"""The server itself: connections, weight, identity, virtual time."""

import http.client
import http.server
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests

from make_us_rich.domain.errors import ParameterError
from make_us_rich.replay import Clock, FolderMarket, ReplayServer, SimulatedMarket, answers

QUERY = {"symbol": "AAAUSDT", "interval": "1h"}
START = datetime(2024, 2, 28, tzinfo=UTC)
FIRST_MS = 1_709_078_400_000


def test_requests_are_remembered_in_order(serve, get, hours_folder):
    server = serve(hours_folder)
    get(server, "time")
    get(server, "klines", **QUERY, limit=3)
    assert server.requests == [("/api/v3/time", {}), ("/api/v3/klines", {**QUERY, "limit": "3"})]


def test_one_connection_serves_many_requests(serve, hours_folder):
    server = serve(hours_folder)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    ports = set()
    for _ in range(3):
        connection.request("GET", "/api/v3/time")
        connection.getresponse().read()
        ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert len(ports) == 1


def test_thousand_klines_take_milliseconds(serve, tmp_path, write_hours):
    write_hours(tmp_path / "AAAUSDT-1h.csv", 1000)
    connection = http.client.HTTPConnection("127.0.0.1", serve(tmp_path).port, timeout=5)
    seconds = []
    for _ in range(20):
        began = time.perf_counter()
        connection.request("GET", "/api/v3/klines?symbol=AAAUSDT&interval=1h&limit=1000")
        connection.getresponse().read()
        seconds.append(time.perf_counter() - began)
    connection.close()
    assert min(seconds) < 0.02


def test_nothing_can_be_posted(serve, hours_folder):
    answer = requests.post(f"{serve(hours_folder).url}/api/v3/order", data={"side": "BUY"}, timeout=5)
    assert answer.status_code == 405
    assert "only reads" in answer.json()["msg"]


@pytest.mark.parametrize(
    ("question", "query", "weight"),
    [
        ("ping", {}, 1),
        ("time", {}, 1),
        ("klines", QUERY, 2),
        ("exchangeInfo", {}, 20),
        ("ticker/price", {}, 4),
        ("ticker/price", {"symbol": "AAAUSDT"}, 2),
        ("ticker/price", {"symbols": '["AAAUSDT"]'}, 4),
    ],
)
def test_each_question_has_binances_weight(serve, get, hours_folder, question, query, weight):
    headers = get(serve(hours_folder, real=lambda: 0.0), question, **query).headers
    assert (headers["x-mbx-used-weight"], headers["x-mbx-used-weight-1m"]) == (str(weight), str(weight))


def test_weight_beyond_the_limit_is_refused_until_the_minute_is_over(serve, get, hours_folder):
    seconds = [120.0]
    server = serve(hours_folder, weight_limit=5, real=lambda: seconds[0])
    statuses = [get(server, "klines", **QUERY).status_code for _ in range(3)]
    seconds[0] = 135.0
    refused = get(server, "klines", **QUERY)
    seconds[0] = 180.0
    assert statuses == [200, 200, 429]
    assert (refused.headers["Retry-After"], refused.json()["code"]) == ("45", -1003)
    assert "current limit is 5 request weight per 1 MINUTE" in refused.json()["msg"]
    assert get(server, "klines", **QUERY).status_code == 200


def test_everything_follows_the_virtual_clock(serve, get, hours_folder):
    server = serve(hours_folder, now=START + timedelta(hours=5, minutes=30))
    assert get(server, "time").json()["serverTime"] == FIRST_MS + 5 * 3_600_000 + 1_800_000
    assert get(server, "klines", **QUERY).json()[-1][0] == FIRST_MS + 5 * 3_600_000
    assert get(server, "ticker/price", symbol="AAAUSDT").json()["price"] == "105.00"  # close of hour 4: 104 + 1


def test_time_travel_changes_what_is_seen(serve, get, hours_folder):
    server = serve(hours_folder, now=START + timedelta(hours=2))
    before = get(server, "klines", **QUERY).json()
    server.clock.advance(timedelta(hours=10))
    after = get(server, "klines", **QUERY).json()
    assert (len(before), len(after)) == (3, 13)
    assert after[:2] == before[:2]


def test_accelerated_time_opens_new_candles(serve, get, hours_folder):
    real = [0.0]
    server = serve(hours_folder, clock=Clock(START, 3600, lambda: real[0]))
    counts = []
    for real[0] in (0.0, 1.0, 2.5):
        counts.append(len(get(server, "klines", **QUERY).json()))
    assert counts == [1, 2, 3]


def test_no_candle_before_the_data_begin(serve, get, hours_folder):
    server = serve(hours_folder, now=START - timedelta(hours=1))
    assert get(server, "klines", **QUERY).json() == []
    assert get(server, "ticker/price").json() == []
    assert get(server, "ticker/price", symbol="AAAUSDT").json()["code"] == -1121


def test_exchange_info_has_binances_shape_and_says_what_is_replayed(serve, get, hours_folder):
    info = get(serve(hours_folder), "exchangeInfo").json()
    assert (info["timezone"], [entry["symbol"] for entry in info["symbols"]]) == (
        "UTC",
        ["AAAUSDT", "BBBUSDT"],
    )
    symbol = info["symbols"][0]
    assert (symbol["status"], symbol["baseAsset"], symbol["quoteAsset"]) == ("TRADING", "AAA", "USDT")
    assert {entry["filterType"] for entry in symbol["filters"]} == {"PRICE_FILTER", "LOT_SIZE", "NOTIONAL"}
    assert info["replay"]["market"] == "folder"


def test_simulated_market_is_stated_as_such(serve, get, simulated):
    info = get(serve(simulated), "exchangeInfo", symbol="QQQEUR").json()
    assert info["replay"] == {"market": "simulated", "seed": 7, "speed": 0}
    assert [entry["symbol"] for entry in info["symbols"]] == ["QQQEUR"]


def test_end_of_the_simulation_is_an_error_in_words(serve, get):
    server = serve(SimulatedMarket(), now=datetime(2100, 1, 1, tzinfo=UTC))
    answer = get(server, "klines", symbol="BTCUSDT", interval="1h")
    assert answer.status_code == 500
    assert "past the simulated market's end" in answer.json()["msg"]


def test_tick_has_the_digits_of_the_prices(serve, get, tmp_path):
    row = "1709078400000,0.00012,0.00013,0.00011,0.000125,1,1709081999999,1,1,1,1,0"
    (tmp_path / "AAAUSDT-1h.csv").write_text(row)
    info = get(serve(tmp_path), "exchangeInfo", symbol="AAAUSDT").json()
    assert info["symbols"][0]["filters"][0]["tickSize"] == "0.00000100"


def test_answers_tells_a_replay_exchange_from_others(serve, hours_folder):
    server = serve(hours_folder)
    assert answers(server.url, 2)
    assert answers(f"{server.url}/api", 2)
    server.stop()
    assert not answers(server.url, 0.5)


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "nonsense", "http://", "http://127.0.0.1:port", "http://[", ""])
def test_answers_is_false_for_what_is_no_local_address(url):
    assert not answers(url, 0.5)


def test_answers_is_false_for_another_server():
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as other:
        thread = threading.Thread(target=other.handle_request)
        thread.start()
        assert not answers(f"http://127.0.0.1:{other.server_address[1]}", 2)
        thread.join()


def test_stopping_ends_kept_connections_and_starting_again_keeps_the_address(serve, get, hours_folder):
    server = serve(hours_folder)
    url = server.url
    get(server, "ping")
    server.stop()
    with pytest.raises(requests.ConnectionError):
        get(server, "ping")
    server.start()
    assert server.url == url
    assert get(server, "ping").json() == {}


def test_busy_port_is_named(serve, hours_folder):
    port = serve(hours_folder).port
    with pytest.raises(ParameterError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: .*choose another --port"):
        ReplayServer(FolderMarket(hours_folder), port=port).start()


def test_requests_of_many_clients_are_answered_at_once(serve, get, simulated):
    server, lengths = serve(simulated), []

    def ask():
        with requests.Session() as session:
            query = {"symbol": "LTCUSDT", "interval": "1d", "limit": 20}
            lengths.append(len(session.get(f"{server.url}/api/v3/klines", params=query, timeout=10).json()))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths == [20] * 8
