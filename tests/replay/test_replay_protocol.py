"""Parameters and errors over HTTP, as Binance answers them."""

import http.client

import pytest

MALFORMED = "was not sent, was empty/null, or malformed."
LEGAL_SYMBOL = "^[A-Z0-9-_.]{1,20}$"
FIRST = 1_709_078_400_000
HOUR_MS = 3_600_000


def klines(**changes):
    query = {"symbol": "AAAUSDT", "interval": "1h", **changes}
    return {name: value for name, value in query.items() if value is not None}


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        (klines(symbol=None), -1102, f"Mandatory parameter 'symbol' {MALFORMED}"),
        (klines(symbol=""), -1102, f"Mandatory parameter 'symbol' {MALFORMED}"),
        (klines(interval=None), -1102, f"Mandatory parameter 'interval' {MALFORMED}"),
        (klines(symbol="aaausdt"), -1100, f"in parameter 'symbol'; legal range is '{LEGAL_SYMBOL}'."),
        (klines(symbol="AAA/USDT"), -1100, "Illegal characters found in parameter 'symbol'"),
        (klines(symbol="ZZZUSDT"), -1121, "Invalid symbol."),
        (klines(interval="7h"), -1120, "Invalid interval."),
        (klines(interval="30m"), -1120, "Invalid interval."),
        (klines(interval="1H"), -1120, "Invalid interval."),
        (klines(limit="ten"), -1100, "in parameter 'limit'; legal range is '^[0-9]{1,20}$'."),
        (klines(limit="-1"), -1100, "in parameter 'limit'"),
        (klines(limit="0"), -1130, "Data sent for parameter 'limit' is not valid."),
        (klines(limit=""), -1105, "Parameter 'limit' was empty."),
        (klines(startTime="2024-01-01"), -1100, "in parameter 'startTime'"),
        (klines(endTime="1.5"), -1100, "in parameter 'endTime'"),
        (klines(startTime="99999999999999999999"), -1108, "Parameter 'startTime' overflowed."),
        (klines(timeZone="5"), -1130, "Data sent for parameter 'timeZone' is not valid."),
        (klines(colour="red"), -1101, "Too many parameters; expected '2' and received '3'."),
    ],
)
def test_wrong_klines_parameter_gets_binances_code_and_words(serve, get, hours_folder, query, code, message):
    answer = get(serve(hours_folder), "klines", **query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert message in answer.json()["msg"]


@pytest.mark.parametrize("question", ["exchangeInfo", "ticker/price"])
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"symbol": "ZZZUSDT"}, -1121),
        ({"symbol": "aaa"}, -1100),
        ({"symbols": "AAAUSDT"}, -1100),
        ({"symbols": "[]"}, -1130),
        ({"symbols": '["AAAUSDT","AAAUSDT"]'}, -1151),
        ({"symbols": '["AAAUSDT","ZZZUSDT"]'}, -1121),
        ({"symbol": "AAAUSDT", "symbols": '["BBBUSDT"]'}, -1128),
    ],
)
def test_wrong_symbols_get_binances_code(serve, get, hours_folder, question, query, code):
    answer = get(serve(hours_folder), question, **query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_parameter_sent_twice_is_refused(serve, get, hours_folder):
    answer = get(serve(hours_folder), "klines?symbol=AAAUSDT&symbol=BBBUSDT&interval=1h")
    assert answer.json() == {"code": -1101, "msg": "Duplicate values for a parameter detected."}


def test_ping_takes_no_parameter(serve, get, hours_folder):
    answer = get(serve(hours_folder), "ping", x=1)
    assert answer.json() == {"code": -1101, "msg": "Too many parameters; expected '0' and received '1'."}


@pytest.mark.parametrize("question", ["depth", "", "klines/", "../v1/ping"])
def test_unknown_path_is_not_found(serve, get, hours_folder, question):
    assert get(serve(hours_folder), question).status_code == 404


def test_path_that_is_no_url_is_not_found(serve, hours_folder):
    connection = http.client.HTTPConnection("127.0.0.1", serve(hours_folder).port, timeout=5)
    connection.request("GET", "//[nonsense")
    status = connection.getresponse().status
    connection.close()
    assert status == 404


@pytest.mark.parametrize(("limit", "expected"), [(None, 500), (7, 7), (5000, 1000)])
def test_limit_is_500_unless_told_and_1000_at_most(serve, get, tmp_path, write_hours, limit, expected):
    write_hours(tmp_path / "AAAUSDT-1h.csv", 1200)
    answer = get(serve(tmp_path), "klines", **klines(limit=limit))
    assert len(answer.json()) == expected


def test_microseconds_are_understood(serve, get, hours_folder):
    answer = get(serve(hours_folder), "klines", **klines(startTime=FIRST * 1000, endTime=(FIRST + HOUR_MS) * 1000))
    assert [row[0] for row in answer.json()] == [FIRST, FIRST + HOUR_MS]


@pytest.mark.parametrize("zone", ["0", "00:00", "+0"])
def test_utc_is_the_time_zone_that_is_served(serve, get, hours_folder, zone):
    assert get(serve(hours_folder), "klines", **klines(timeZone=zone)).status_code == 200
