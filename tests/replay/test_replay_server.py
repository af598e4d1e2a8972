"""The server itself: connections, weight, identity, virtual time, and faults as a client meets them."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from make_us_rich.replay import Faults, answers

QUERY = {"symbol": "AAAUSDT", "interval": "1h"}
START = datetime(2024, 2, 28, tzinfo=UTC)
FIRST_MS = 1_709_078_400_000


WEIGHTS = (
    *(("ping", {}, 1), ("time", {}, 1), ("klines", QUERY, 2), ("exchangeInfo", {}, 20), ("ticker/price", {}, 4)),
    *(("ticker/price", {"symbol": "AAAUSDT"}, 2), ("ticker/price", {"symbols": '["AAAUSDT"]'}, 4)),
)


def test_each_question_has_binances_weight(serve, get, hours_folder):
    seconds = iter(range(0, 60 * len(WEIGHTS), 60))
    server = serve(hours_folder, real=lambda: float(next(seconds)))
    for question, query, weight in WEIGHTS:
        headers = get(server, question, **query).headers
        assert (headers["x-mbx-used-weight"], headers["x-mbx-used-weight-1m"]) == (str(weight), str(weight)), question


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


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "nonsense", "http://", "http://127.0.0.1:port", "http://[", ""])
def test_answers_is_false_for_what_is_no_local_address(url):
    assert not answers(url, 0.5)


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


@pytest.mark.parametrize("interval", ["1h", "2h"])
def test_unclosed_candle_is_shown_by_default_and_without_it_the_limit_is_still_filled(serve, get, simulated, interval):
    server = serve(simulated)
    query, now = {"symbol": "BTCUSDT", "interval": interval, "limit": 2}, server.clock.now_ms()
    assert get(server, "klines", **query).json()[-1][6] >= now
    server.faults = Faults({"unclosed": 0})
    closed = get(server, "klines", **query).json()
    assert (len(closed), closed[-1][6] < now) == (2, True)
