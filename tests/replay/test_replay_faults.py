"""Every kind of misbehaviour, as a client meets it."""

import time

import pytest
import requests

from make_us_rich.domain.errors import ParameterError
from make_us_rich.replay import Faults
from make_us_rich.replay.faults import KINDS

QUERY = {"symbol": "AAAUSDT", "interval": "1h", "limit": 50}


@pytest.fixture
def ask(serve, get, hours_folder):
    """Ask for 50 klines of a server with faults."""

    def ask(faults):
        return get(serve(hours_folder, faults=faults), "klines", **QUERY)

    return ask


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("418", 418)])
def test_too_many_requests_say_when_to_come_back(ask, kind, status):
    answer = ask(Faults({kind: 1.0}, retry_after=7))
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()["code"]) == (status, "7", -1003)


def test_ban_names_its_end_in_milliseconds(serve, get, hours_folder):
    server = serve(hours_folder, faults=Faults({"418": 1.0}, retry_after=60))
    until = server.clock.now_ms() + 60_000
    assert f"IP banned until {until}." in get(server, "klines", **QUERY).json()["msg"]


def test_restricted_location_has_binances_body(ask):
    answer = ask(Faults({"451": 1.0}))
    assert (answer.status_code, answer.json()["code"]) == (451, 0)
    assert answer.json()["msg"].startswith("Service unavailable from a restricted location according to 'b.")


def test_server_errors_are_html_and_json(serve, get, hours_folder):
    server = serve(hours_folder, faults=Faults({"5xx": 1.0}))
    answers = [get(server, "klines", **QUERY) for _ in range(40)]
    assert {answer.status_code for answer in answers} == {500, 502, 503, 504}
    assert {answer.headers["Content-Type"].split(";")[0] for answer in answers} == {
        "text/html",
        "application/json",
    }


def test_dropped_connection_has_no_answer(ask):
    with pytest.raises(requests.ConnectionError, match=r"Remote end closed|Connection reset"):
        ask(Faults({"drop": 1.0}))


def test_truncated_answer_breaks_off(ask):
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        ask(Faults({"truncate": 1.0}))


def test_latency_delays_the_answer(ask):
    began = time.monotonic()
    assert ask(Faults({"latency": 1.0}, latency_seconds=0.15)).status_code == 200
    assert time.monotonic() - began >= 0.15


def test_gaps_are_always_the_same_candles(serve, get, hours_folder):
    server = serve(hours_folder, faults=Faults({"gaps": 0.3}))
    whole = get(server, "klines", symbol="AAAUSDT", interval="1h", startTime=0).json()
    pages = [get(server, "klines", **QUERY, startTime=row[0]).json()[0] for row in whole]
    assert 50 < len(whole) < 90
    assert pages == whole


def test_gaps_do_not_shorten_a_page_that_has_more_candles(ask):
    assert len(ask(Faults({"gaps": 0.3})).json()) == 50


def test_unclosed_candle_is_shown_unless_told_otherwise(serve, get, simulated):
    server = serve(simulated)
    now = server.clock.now_ms()
    query = {"symbol": "BTCUSDT", "interval": "1h", "limit": 1}
    assert get(server, "klines", **query).json()[-1][6] >= now
    server.faults = Faults({"unclosed": 0})
    assert get(server, "klines", **query).json()[-1][6] < now


def test_only_so_many_requests_are_hit(serve, get, hours_folder):
    server = serve(hours_folder, faults=Faults({"429": 1.0}, times=2))
    assert [get(server, "klines", **QUERY).status_code for _ in range(4)] == [429, 429, 200, 200]


def test_unclosed_does_not_use_up_the_count(serve, get, hours_folder):
    server = serve(hours_folder, faults=Faults({"unclosed": 1.0, "429": 1.0}, times=1))
    assert [get(server, "klines", **QUERY).status_code for _ in range(2)] == [429, 200]


def test_faults_can_be_changed_while_the_server_runs(serve, get, hours_folder):
    server = serve(hours_folder)
    server.faults = Faults({"451": 1.0})
    assert get(server, "klines", **QUERY).status_code == 451
    server.faults = Faults()
    assert get(server, "klines", **QUERY).status_code == 200


@pytest.mark.parametrize(("everywhere", "status"), [(False, 200), (True, 429)])
@pytest.mark.parametrize("question", ["ping", "time"])
def test_ping_and_time_are_spared_unless_told(serve, get, hours_folder, question, everywhere, status):
    server = serve(hours_folder, faults=Faults({"429": 1.0}, everywhere=everywhere))
    assert get(server, question).status_code == status


@pytest.mark.parametrize("question", ["exchangeInfo", "ticker/price"])
def test_other_questions_are_hit(serve, get, hours_folder, question):
    assert get(serve(hours_folder, faults=Faults({"429": 1.0})), question).status_code == 429


def test_same_seed_gives_the_same_faults():
    first, second, other = (Faults({"429": 0.5, "drop": 0.2}, seed=seed) for seed in (3, 3, 4))
    plans = [[faults.plan() for _ in range(50)] for faults in (first, second, other)]
    assert plans[0] == plans[1]
    assert [plan.refusal for plan in plans[0]] != [plan.refusal for plan in plans[2]]


def test_rate_is_the_share_of_requests():
    faults = Faults({"429": 0.25}, seed=1)
    hit = sum(faults.plan().refusal == "429" for _ in range(4000))
    assert 0.22 < hit / 4000 < 0.28


def test_rate_zero_never_hits():
    faults = Faults(dict.fromkeys(KINDS, 0.0))
    assert all(plan.refusal is None and not plan.truncate for plan in (faults.plan() for _ in range(100)))


def test_unknown_kind_names_the_known_ones():
    with pytest.raises(ParameterError, match="unknown fault 'fire'; choose from latency, drop, 451"):
        Faults({"fire": 0.5})


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_rate_outside_zero_to_one_is_refused(rate):
    with pytest.raises(ParameterError, match=r"fault 429: rate .* is out of range; give a number from 0 to 1"):
        Faults({"429": rate})


def test_negative_latency_is_refused():
    with pytest.raises(ParameterError, match=r"latency_seconds -1 is out of range"):
        Faults(latency_seconds=-1)
