"""Every way in which an exchange can fail, with the real client over HTTP."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from make_us_rich.domain.errors import (
    DataError,
    ExchangeError,
    ExchangeUnreachableError,
    RateLimitedError,
    RestrictedLocationError,
    UnknownPairError,
)
from make_us_rich.exchange import BinanceClient
from make_us_rich.replay import Faults
from network import HttpServer

NOW = datetime(2025, 5, 14, 10, 30, tzinfo=UTC)
TOP = datetime(2025, 5, 14, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
Body = Callable[[str], tuple[int, str]]


@contextmanager
def answering(body: Body, retry_after: str | None = None) -> Iterator[str]:
    """A server that answers the time and, to everything else, what ``body`` makes of the path."""

    def respond(_: str, path: str, __: bytes) -> tuple[int, str, dict[str, str]]:
        status, text = (200, '{"serverTime": 1747218600000}') if "/time" in path else body(path)
        return status, text, {"Retry-After": retry_after} if retry_after and status != 200 else {}

    with HttpServer(respond) as server:
        yield f"http://{server.address}"


def ask(client: BinanceClient) -> int:
    return len(client.klines("btc_usdt", TOP - 5 * HOUR, TOP))


def asked(server) -> int:
    return sum(path.endswith("klines") for path, _ in server.requests)


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("drop", ExchangeUnreachableError, r"cannot be reached at http://127\.0\.0\.1:\d+ \(connection dropped\)"),
        ("truncate", ExchangeUnreachableError, r"cannot be reached at .* \(connection dropped\)"),
        ("5xx", ExchangeError, r"BTC_USDT: Binance at http.* failed \(HTTP 50[0-4]\); run the fetching pipeline"),
        ("429", RateLimitedError, r"too many requests from here \(HTTP 429\); try again at 2025-05-14 10:30:06"),
        ("418", RateLimitedError, r"has banned this address .* \(HTTP 418\); try again at 2025-05-14 10:30:06 UTC"),
    ],
)
def test_failure_is_asked_again_and_raised_after_four_attempts(exchange, client_of, waits, kind, error, text):
    server = exchange(faults=Faults({kind: 1.0}, times=2))
    assert (ask(client_of(server)), asked(server)) == (5, 3)
    assert waits == ([1.0, 1.0] if kind in ("429", "418") else [0.5, 1.0])
    server.faults = Faults({kind: 1.0})
    with pytest.raises(error, match=text):
        ask(client_of(server))
    assert (asked(server), len(waits)) == (3 + 4, 2 + 3)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ((418, '{"code":-1003,"msg":"Way too much request weight used; IP banned until %d. Use WebSockets."}'), 1800),
        ((418, "{}"), 300),
        ((403, "<html>forbidden</html>"), 300),
    ],
    ids=["ban with its end", "ban", "firewall"],
)
def test_refusal_holds_for_the_address_until_it_ends(client_of, waits, answer, seconds):
    paths: list[str] = []

    def refuse(path: str) -> tuple[int, str]:
        paths.append(path)
        status, text = answer
        return status, text.replace("%d", str(int(NOW.timestamp() + sum(waits) + 1800) * 1000))

    with answering(refuse) as url:
        for client in (client_of(url), client_of(url)):  # The second one stands for another process.
            for _ in range(3):
                with pytest.raises(RateLimitedError, match=rf"HTTP {answer[0]}\); .*in {seconds:,} s\)"):
                    ask(client)
        assert len(paths) == 1
        waits.append(seconds)
        with pytest.raises(RateLimitedError):
            ask(client_of(url))
    assert len(paths) == 2


TOMORROW = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", "7"), (" 7 ", "7"), ("soon", "300"), ("-3", "300"), pytest.param(TOMORROW, r"\d\d,\d{3}", id="tomorrow")],
)
def test_retry_after_is_honoured_where_it_can_be_read(client_of, waits, header, seconds):
    text = rf"\(in {seconds} s\)"
    with answering(lambda path: (418, "{}"), header) as url, pytest.raises(RateLimitedError, match=text):
        ask(client_of(url))
    assert set(waits) <= {7.0}


def test_an_unknown_symbol_is_asked_for_once_and_a_late_answer_three_times(exchange, client_of):
    server = exchange(faults=Faults({"latency": 1.0}, latency_seconds=0.5))
    text = r"nope1_usdt is not traded on Binance at .* \(symbol NOPE1USDT\); check `pairs` in conf/base/param"
    with pytest.raises(UnknownPairError, match=text):
        client_of(server).klines("nope1_usdt", TOP - HOUR, TOP)
    assert asked(server) == 1
    with pytest.raises(ExchangeUnreachableError, match=r"\(time-out: no answer within 0\.1 s\)"):
        ask(client_of(server, timeout=0.1))
    assert asked(server) == 1 + 3


def test_failure_in_the_middle_of_a_year_loses_nothing(exchange, client_of):
    server = exchange(faults=Faults({"drop": 0.2, "5xx": 0.2, "truncate": 0.2}, seed=1))
    klines = client_of(server, max_attempts=30).one_year("btc_usdt")
    assert asked(server) > 9
    assert (len(klines), klines["timestamp"].is_unique) == (8760, True)


@pytest.mark.parametrize(
    ("address", "cause", "remedy"),
    [
        ("http://127.0.0.1:1", "connection refused", "start .* `python -m make_us_rich\\.replay`"),
        ("https://no-such-exchange.invalid", "name not resolved", "try the replay exchange with --env=demo"),
    ],
)
def test_address_without_an_exchange_is_named_with_the_ways_out(client_of, waits, address, cause, remedy):
    other = r"or another address with --params=exchange_url=https://data-api\.binance\.vision"
    with pytest.raises(ExchangeUnreachableError, match=rf"^Binance .* at {address} \({cause}\); {remedy}, {other}$"):
        client_of(address).now()
    assert len(waits) == (cause == "connection refused")


def test_password_in_the_address_and_the_secret_are_never_shown(caplog):
    client = BinanceClient("http://me:hunter2@127.0.0.1:1", key="k-1234", secret="s-5678")
    with pytest.raises(ExchangeUnreachableError) as caught:
        client.now()
    shown = f"{caught.value} {client!r} {vars(client)} {caplog.text}".replace(client.url, "")
    assert not [word for word in ("hunter2", "k-1234", "s-5678") if word in shown]


@pytest.mark.parametrize(
    ("status", "text", "error", "match"),
    [
        (200, '[[1747198800000,"1', ExchangeError, "BTC_USDT: Binance at .* sent half an answer; run"),
        (200, "", ExchangeError, r"does not answer with candles but with '\{\}'; check `exchange_url`"),
        (200, "[[1,2,3]]", DataError, "BTCUSDT: row 0 .* is no candle: 3 fields"),
        (200, '[[1,"1","1","1","1","1",2,"1",1,"1","1","0"]]', ExchangeError, "with 'others, from 1970-01-01"),
        (404, "<html>nothing\n here</html>", ExchangeError, r"HTTP 404: .*nothing here.*\); check `exchange_url`"),
        (400, '{"code":-1130,"msg":"Bad range."}', ExchangeError, r"refuses the request \(HTTP 400: Bad range\.\)"),
        (400, '{"code":-1100,"msg":"Illegal"}', UnknownPairError, "btc_usdt"),
        (401, '{"code":-2014,"msg":"Bad key."}', ExchangeError, r"refuses the API key \(HTTP 401\)"),
        (403, '{"code":-1,"msg":"no"}', ExchangeError, "refuses the request .HTTP 403: no"),
        (403, "<html>forbidden</html>", RateLimitedError, r"by its firewall, .* \(HTTP 403\); try again .*in 300 s"),
        (429, "{}", RateLimitedError, r"\(HTTP 429\); try again in a few minutes"),
        (451, "{}", RestrictedLocationError, r"--params=exchange_url=https://data-api\.binance\.vision"),
    ],
)
def test_nonsense_is_told_in_one_line(client_of, status, text, error, match):
    with answering(lambda path: (status, text)) as url, pytest.raises(error, match=match) as caught:
        ask(client_of(url))
    assert "\n" not in str(caught.value)


def test_short_page_is_not_taken_for_the_end(client_of):
    opens = [1747180800000 + hour * 3_600_000 for hour in range(10)]
    row = '[{0},"1","1","1","1","1",{1},"1",1,"1","1","0"]'

    def three_at_a_time(path: str) -> tuple[int, str]:
        start = int(path.split("startTime=")[1].split("&")[0])
        page = [row.format(at, at + 3_599_999) for at in opens if at >= start][:3]
        return 200, f"[{','.join(page)}]"

    with answering(three_at_a_time) as url:
        klines = client_of(url).klines("btc_usdt", TOP - 10 * HOUR, TOP)
    assert klines["timestamp"].astype("int64").tolist() == opens
