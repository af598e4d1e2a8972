"""Every way in which an exchange can fail, with the real client over HTTP."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from make_us_rich.domain.errors import (
    DataError,
    ExchangeError,
    ExchangeUnreachableError,
    ParameterError,
    RateLimitedError,
    RestrictedLocationError,
    UnknownPairError,
)
from make_us_rich.exchange import BinanceClient
from make_us_rich.exchange.failures import retry_after
from make_us_rich.replay import Faults

NOW = datetime(2025, 5, 14, 10, 30, tzinfo=UTC)
TOP = datetime(2025, 5, 14, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ask(client: BinanceClient) -> int:
    return len(client.klines("btc_usdt", TOP - 5 * HOUR, TOP))


def asked(server) -> int:
    return sum(path.endswith("klines") for path, _ in server.requests)


@pytest.mark.parametrize("kind", ["drop", "5xx", "truncate", "429", "418"])
def test_failure_that_passes_is_asked_again(exchange, client_of, waits, kind):
    server = exchange(faults=Faults({kind: 1.0}, times=2))
    assert ask(client_of(server)) == 5
    assert asked(server) == 3
    assert waits == [1.0, 1.0] if kind in ("429", "418") else [0.5, 1.0]


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        (
            "drop",
            ExchangeUnreachableError,
            r"cannot be reached at http://127\.0\.0\.1:\d+ \(connection dropped\)",
        ),
        ("truncate", ExchangeUnreachableError, r"cannot be reached at .* \(connection dropped\)"),
        (
            "5xx",
            ExchangeError,
            r"BTC_USDT: Binance at http.* failed \(HTTP 50[0-4]\); run the fetching pipeline",
        ),
        (
            "429",
            RateLimitedError,
            r"gets too many requests from here \(HTTP 429\); try again at 2025-05-14 10:30:01",
        ),
        (
            "418",
            RateLimitedError,
            r"has banned this address .* \(HTTP 418\); try again at 2025-05-14 10:30:01 UTC",
        ),
    ],
)
def test_failure_that_stays_is_told_after_four_tries(exchange, client_of, waits, kind, error, text):
    server = exchange(faults=Faults({kind: 1.0}))
    with pytest.raises(error, match=text):
        ask(client_of(server))
    assert asked(server) == 4
    assert len(waits) == 3


@pytest.mark.parametrize("status", ["429", "418"])
def test_retry_after_is_honoured(exchange, client_of, waits, status):
    server = exchange(faults=Faults({status: 1.0}, times=2, retry_after=7))
    assert ask(client_of(server)) == 5
    assert waits == [7.0, 7.0]


@pytest.mark.parametrize("status", ["429", "418"])
def test_retry_after_beyond_the_limit_gives_up_at_once(exchange, client_of, waits, status):
    server = exchange(faults=Faults({status: 1.0}, retry_after=3600))
    text = rf"HTTP {status}\); try again at 2025-05-14 11:30:00 UTC \(in 3,600 s\)"
    with pytest.raises(RateLimitedError, match=text):
        ask(client_of(server))
    assert (asked(server), waits) == (1, [])


def test_without_a_wait_it_says_to_try_again_in_a_second(exchange, client_of):
    server = exchange(faults=Faults({"429": 1.0}, retry_after=0))
    with pytest.raises(RateLimitedError, match=r"at 2025-05-14 10:30:01 UTC \(in 1 s\)"):
        ask(client_of(server))


def test_weight_limit_of_the_exchange_is_waited_for(exchange, client_of, waits):
    server = exchange(weight_limit=5, real=lambda: 1_000_000_030.0)
    client = client_of(server)
    client.now()
    for _ in range(2):
        ask(client)
    with pytest.raises(RateLimitedError, match="HTTP 429"):
        ask(client)
    assert waits
    assert all(0 < wait <= 60 for wait in waits)


def test_restricted_location_is_not_asked_again_and_names_the_data_only_address(exchange, client_of):
    server = exchange(faults=Faults({"451": 1.0}))
    text = r"\(HTTP 451\); take its data-only address with --params=exchange_url=https://data-api\.binance\.vision"
    with pytest.raises(RestrictedLocationError, match=text):
        ask(client_of(server))
    assert asked(server) == 1


def test_unknown_symbol_is_not_asked_again_and_names_the_parameter(exchange, client_of):
    server = exchange()
    text = r"nope1_usdt is not traded on Binance at .* \(symbol NOPE1USDT\); check `pairs` in conf/base/param"
    with pytest.raises(UnknownPairError, match=text):
        client_of(server).klines("nope1_usdt", TOP - HOUR, TOP)
    assert asked(server) == 1


def test_late_answer_is_a_time_out(exchange, client_of):
    server = exchange(faults=Faults({"latency": 1.0}, latency_seconds=0.5))
    with pytest.raises(ExchangeUnreachableError, match=r"\(time-out: no answer within 0\.1 s\)"):
        ask(client_of(server, timeout=0.1))
    assert asked(server) == 3


def test_answer_that_is_late_once_is_asked_again(exchange, client_of):
    server = exchange(faults=Faults({"latency": 1.0}, times=1, latency_seconds=0.5))
    assert ask(client_of(server, timeout=0.25)) == 5


def test_failure_in_the_middle_of_a_year_loses_nothing(exchange, client_of):
    server = exchange(faults=Faults({"drop": 0.2, "5xx": 0.2, "truncate": 0.2}, seed=1))
    klines = client_of(server, tries=30).one_year("btc_usdt")
    assert asked(server) > 9
    assert (len(klines), klines["timestamp"].is_unique) == (8760, True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_refused_connection_is_told_with_the_ways_out():
    client = BinanceClient(f"http://127.0.0.1:{free_port()}")
    text = (
        r"^Binance cannot be reached at http://127\.0\.0\.1:\d+ \(connection refused\)\. Start"
        r" the replay exchange with `python -m make_us_rich\.replay`, or another address with"
        r" --params=exchange_url=https://data-api\.binance\.vision$"
    )
    with pytest.raises(ExchangeUnreachableError, match=text):
        client.now()


def test_exchange_that_comes_back_is_asked_again(exchange, simulated_market, waits):
    server = exchange()
    server.stop()
    from make_us_rich.exchange import Retries

    client = BinanceClient(server.url, retries=Retries(sleep=lambda seconds: server.start() and None))
    assert client.now() == NOW


def test_name_that_does_not_resolve_is_told_at_once(client_of, waits):
    text = (
        r"^Binance cannot be reached at https://no-such-exchange\.invalid \(name not resolved\)\."
        r" Try the replay exchange with --env=demo, or another address with"
    )
    with pytest.raises(ExchangeUnreachableError, match=text):
        client_of("https://no-such-exchange.invalid").now()
    assert waits == []


@pytest.mark.parametrize("url", ["api.binance.com", "ftp://api.binance.com", "http://"])
def test_address_that_is_none_names_the_parameter(client_of, url):
    with pytest.raises(ParameterError, match=r"`exchange_url` is .*, no address; write it as https://api\.binance"):
        client_of(url).now()


def test_password_in_the_address_and_the_secret_are_never_shown(caplog):
    client = BinanceClient(f"http://me:hunter2@127.0.0.1:{free_port()}", key="k-1234", secret="s-5678")
    with pytest.raises(ExchangeUnreachableError) as caught:
        client.now()
    shown = f"{caught.value} {client!r} {vars(client)} {caplog.text}".replace(client.url, "")
    assert not [word for word in ("hunter2", "k-1234", "s-5678") if word in shown]


Body = Callable[[str], tuple[int, str]]


@contextmanager
def answering(body: Body) -> Iterator[str]:
    """An exchange that answers whatever it is told to."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = (200, '{"serverTime": 1747218600000}') if "/time" in self.path else body(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "text", "error", "match"),
    [
        (200, '[[1747198800000,"1', ExchangeError, "BTC_USDT: Binance at .* sent half an answer; run"),
        (200, "", ExchangeError, r"does not answer with candles but with '\{\}'; check `exchange_url`"),
        (200, '{"code": 0}', ExchangeError, r"does not answer with candles but with \"\{'code': 0\}\""),
        (200, "[[1,2,3]]", DataError, "BTCUSDT: row 0 .* is no candle: 3 fields"),
        (
            200,
            '[[1,"1","1","1","1","1",3600000,"1",1,"1","1","0"]]',
            ExchangeError,
            "with 'others, from 1970-01-01",
        ),
        (
            404,
            "<html>nothing\n here</html>",
            ExchangeError,
            r"HTTP 404: .*nothing here.*\); check `exchange_url`",
        ),
        (
            400,
            '{"code":-1130,"msg":"Bad range."}',
            ExchangeError,
            r"refuses the request \(HTTP 400: Bad range\.\)",
        ),
        (
            400,
            '{"code":-1100,"msg":"Illegal characters found in parameter \'symbol\'"}',
            UnknownPairError,
            "btc_usdt",
        ),
        (
            401,
            '{"code":-2014,"msg":"API-key format invalid."}',
            ExchangeError,
            r"refuses the API key \(HTTP 401\)",
        ),
        (403, "<html>forbidden</html>", ExchangeError, "refuses the request .HTTP 403"),
        (429, "{}", RateLimitedError, r"\(HTTP 429\); try again in a few minutes"),
    ],
)
def test_nonsense_is_told_in_one_line(client_of, status, text, error, match):
    with answering(lambda path: (status, text)) as url, pytest.raises(error, match=match) as caught:
        ask(client_of(url))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 451])
def test_refusal_is_never_asked_again(client_of, waits, status):
    paths: list[str] = []

    def refuse(path: str) -> tuple[int, str]:
        paths.append(path)
        return status, '{"code":-1,"msg":"no"}'

    with answering(refuse) as url, pytest.raises(ExchangeError):
        ask(client_of(url))
    assert (len(paths), waits) == (1, [])


def test_half_an_answer_is_asked_again(client_of):
    row = '[1747213200000,"1","1","1","1","1",1747216799999,"1",1,"1","1","0"]'
    answers = iter(['[[1747216800000,"1', f"[{row}]"])
    with answering(lambda path: (200, next(answers))) as url:
        klines = client_of(url).klines("btc_usdt", TOP - HOUR, TOP)
    assert list(klines["timestamp"]) == [TOP - HOUR]


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


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("5", 5.0),
        (" 7 ", 7.0),
        ("Wed, 14 May 2025 10:31:00 GMT", 60.0),
        ("Wed, 14 May 2025 10:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(header, seconds):
    assert retry_after(header, NOW) == seconds
