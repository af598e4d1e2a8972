"""Alerts: rules over the API, messages at a real server, and the addresses that no message may go to."""

import json
import logging
import multiprocessing
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, text

from live_files import HOUR
from make_us_rich.client.alerts import Alert
from make_us_rich.exchange import BinanceClient
from make_us_rich.repository import ModelRepository
from network import HttpServer, refusal, wait_until
from serving.accounts import users
from serving.accounts.accounts import Accounts
from serving.accounts.tables import AlertRule, User
from serving.alerts.sender import Guard, is_public
from serving.alerts.service import MIN_INTERVAL, AlertService
from serving.forecasts.service import ForecastService
from serving.settings import Settings

from .conftest import running_api

PREFIX = "/api/v1/alerts"
KEY = "+/Zr0Yx1pVY6DpoG3yoQ9h0vC9Jz1h3yB2Hq5o7nXkM="
RUN = AlertService._run


class Ntfy(HttpServer):
    """Takes the messages of ntfy, or redirects them to a location."""

    def __init__(self, location: str | None = None) -> None:
        super().__init__(lambda *_: (307, "", {"Location": location}) if location else (200, "", {}))

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.requests]

    @property
    def destination(self) -> str:
        return f"ntfy://user:pa55word@{self.address}/s3cret-topic"

    @property
    def allowed(self) -> tuple[str, int]:
        return "127.0.0.1", self.server_port


@pytest.fixture
def ntfy() -> Iterator[Ntfy]:
    with Ntfy() as started:
        yield started


class Alerts:
    """The alerts of a user of the API, which may go to a server of the test."""

    def __init__(self, api: Any, ntfy: Ntfy) -> None:
        self.api, self.ntfy = api, ntfy
        self.service: AlertService = api.client.app.state.alerts
        self.service.allowed = frozenset({ntfy.allowed})
        self.user = api.register()
        self.bearer = {"Authorization": f"Bearer {self.user.api_token}"}
        self.forecast = api.service.get("btc_usdt").forecast

    def request(self, method: str, path: str = "", body: Any = None, bearer: dict[str, str] | None = None) -> Any:
        return self.api.client.request(method, f"{PREFIX}{path}", json=body, headers=bearer or self.bearer)

    def body(self, kind: str = "touch_above", **changes: Any) -> dict[str, Any]:
        """A rule that is met: the last close itself is certain to be touched."""
        rules = {
            "touch_above": {"price": self.forecast.last_close, "hours": 24, "probability": 0.5},
            "volatility_above": {"percentile": 0},
        }
        rule = {"kind": kind, **rules.get(kind, {})}
        return {"pair": "btc_usdt", "rule": rule, "destination": self.ntfy.destination, **changes}

    def add(self, kind: str = "touch_above", **changes: Any) -> Alert:
        answer = self.request("POST", body=self.body(kind, **changes))
        assert answer.status_code == 201, answer.text
        return Alert.model_validate_json(answer.content)

    def list(self) -> list[Alert]:
        return [Alert.model_validate(each) for each in self.request("GET").json()]

    def execute(self, statement: Any) -> Any:
        accounts = self.api.client.app.state.accounts
        return accounts.database.transact(lambda session: session.execute(statement))


@pytest.fixture(scope="module")
def api(open_api) -> Iterator[Any]:
    """The API with a key, whose rounds are run by the tests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(AlertService, "_run", lambda _: None)
        with open_api(secret_key=KEY, public_api_url="https://mur.test/") as started:
            yield started


@pytest.fixture
def alerts(api: Any, ntfy: Ntfy) -> Iterator[Alerts]:
    """Of a new user; nobody else has any."""
    made = Alerts(api, ntfy)
    yield made
    made.execute(delete(AlertRule))


def test_a_message_arrives_once_an_hour_and_its_link_stops_it(alerts: Alerts, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = alerts.add()
    alerts.service.evaluate()
    alerts.service.evaluate()

    [message] = alerts.ntfy.messages
    assert message["title"] == "Make Us Rich: btc_usdt"
    said, simulated, link = message["message"].split("\n\n")
    assert said == (
        f"btc_usdt touches {alerts.forecast.last_close:.8g} within 24 h with a probability of 100.0%, above 50.0%,"
        f" after the close of {alerts.forecast.last_close:.8g} at 2025-03-01 10:00 UTC."
    )
    assert simulated == "Simulated market: these are no real prices."
    [shown] = alerts.list()
    assert (shown.id, shown.delivered, shown.destination) == (rule.id, True, "ntfy://***")
    assert shown.sent_at is not None

    # The next hour's forecast is met as well, and waits until the hour is over.
    alerts.execute(text("UPDATE alert_rules SET forecast_at = NULL"))
    alerts.service.evaluate()
    assert len(alerts.ntfy.messages) == 1
    later = alerts.service._clock() + MIN_INTERVAL
    monkeypatch.setattr(alerts.service, "_clock", lambda: later)
    alerts.service.evaluate()
    assert len(alerts.ntfy.messages) == 2

    path = link.removeprefix("Stop this alert: https://mur.test/api/v1/alerts")
    assert "document.forms[0].submit()" in alerts.api.client.get(PREFIX + path).text
    assert len(alerts.list()) == 1  # A chat that fetches the link for a preview stops nothing.
    for _ in range(2):
        assert "stopped" in alerts.api.client.post(PREFIX + path).text
    assert alerts.list() == []
    assert alerts.api.client.get(f"{PREFIX}{path[:-9]}damaged").status_code == 404


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("192.0.2.1", "http://192.0.2.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("[2001:db8::1]", "http://[2001:db8::1]:8000"),
        ("::", "http://localhost:8000"),
    ],
)
def test_the_host_of_a_link_is_that_of_the_api(api: Any, host: str, url: str) -> None:
    service = AlertService(Settings(host=host, secret_key=KEY), api.client.app.state.accounts, api.service)
    rule = AlertRule(id="a", pair="btc_usdt", secret=service._encrypt(b"ntfy://topic"))
    message = service._message(rule, "text")

    assert message is not None
    assert f"\n\nStop this alert: {url}/api/v1/alerts/stop?token=" in message["body"]


def test_a_stale_forecast_and_a_wild_market_are_reported_once(alerts: Alerts, monkeypatch: pytest.MonkeyPatch) -> None:
    alerts.add("volatility_above")
    alerts.service.evaluate()
    alerts.add("stale")
    alerts.service.evaluate()
    assert ["volatility" in each["message"] for each in alerts.ntfy.messages] == [True]

    candles = alerts.api.service.candles
    monkeypatch.setattr(candles, "_offset", candles._offset + 3 * HOUR)  # The clock goes on without a candle.
    for _ in range(2):
        alerts.service.evaluate()
    assert [each["message"].partition(",")[0] for each in alerts.ntfy.messages[1:]] == [
        "The forecast of btc_usdt is 3.5 hours old"
    ]


def test_destinations_are_encrypted_and_never_logged_or_answered(
    alerts: Alerts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = alerts.request("POST", body=alerts.body())
    alerts.service.evaluate()
    alerts.ntfy.stop()
    alerts.add()
    alerts.service.evaluate()

    assert [each.delivered for each in alerts.list()] == [True, False]
    assert "1 of 1 alerts were not delivered" in caplog.text
    stored = str(alerts.execute(text("SELECT * FROM alert_rules")).all())
    for part in ("pa55word", "s3cret-topic", KEY):
        assert all(part not in where for where in (answer.text, alerts.request("GET").text, stored, caplog.text))


def test_another_key_cannot_send_and_without_one_there_are_no_alerts(
    alerts: Alerts, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = alerts.add()
    monkeypatch.setattr(alerts.service, "key", Settings(secret_key=KEY.swapcase()).secret_key)
    alerts.service.evaluate()

    assert alerts.ntfy.messages == []
    assert f"rule {rule.id} was encrypted with another MAKE_US_RICH_SECRET_KEY" in caplog.text

    monkeypatch.setattr(alerts.service, "key", None)
    answer = alerts.request("GET")
    assert refusal(answer) == (409, "alerts_off")
    assert "set MAKE_US_RICH_SECRET_KEY" in answer.text


def test_rules_are_limited_are_nobody_elses_and_end_with_their_user(alerts: Alerts) -> None:
    own = alerts.add()
    other = alerts.api.bearer()
    assert alerts.request("GET", bearer=other).json() == []
    assert alerts.request("DELETE", f"/{own.id}", bearer=other).status_code == 404
    assert alerts.request("DELETE", f"/{own.id}").status_code == 204
    assert alerts.request("DELETE", f"/{own.id}").json()["remedy"] == "GET /api/v1/alerts lists your rules"

    user = f"(SELECT id FROM users WHERE name = '{alerts.user.name}')"
    rows = ", ".join(
        f"('{at:032x}', {user}, 'btc_usdt', '{{\"kind\": \"stale\"}}', 'ntfy', '', :now)" for at in range(20)
    )
    columns = "id, user_id, pair, rule, service, secret, created_at"
    insert = text(f"INSERT INTO alert_rules ({columns}) VALUES {rows}").bindparams(now=alerts.service._clock())
    alerts.execute(insert)
    refused = alerts.request("POST", body=alerts.body())
    assert refusal(refused) == (409, "too_many_alerts")

    usage = alerts.api.client.get("/api/v1/me", headers=alerts.bearer).json()
    assert usage["used"] == 0
    headers = {"Authorization": f"Bearer {alerts.user.login_token}"}
    data = alerts.api.client.get("/api/v1/me/data", headers=headers).json()
    assert data["alerts"] == alerts.request("GET").json() != []
    alerts.execute(delete(User).where(User.name == alerts.user.name))
    assert alerts.execute(text("SELECT count(*) FROM alert_rules")).scalar_one() == 0


def test_a_destination_is_not_checked_for_a_user_who_has_all_rules(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.alerts.service.MAX_RULES", 1)
    alerts.add()
    checked: list[object] = []
    monkeypatch.setattr(alerts.service, "_send", lambda messages, _: checked.append(messages) or [None])

    assert refusal(alerts.request("POST", body=alerts.body())) == (409, "too_many_alerts")
    assert checked == []


def test_a_user_who_is_deleted_while_the_destination_is_checked_gets_no_rule(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = alerts.api.client.app.state.accounts

    def delete_user(*_: object) -> list[None]:
        accounts.database.transact(lambda session: users.anonymize(session, alerts.user.name))
        return [None]

    monkeypatch.setattr(alerts.service, "_send", delete_user)

    assert refusal(alerts.request("POST", body=alerts.body())) == (401, "unauthorized")
    assert alerts.execute(text("SELECT count(*) FROM alert_rules")).scalar_one() == 0


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"rule": {"kind": "moon"}}, "rule"),
    ({"rule": {"kind": "touch_above", "price": 1, "hours": 25, "probability": 0.5}}, "hours"),
    ({"rule": {"kind": "touch_above", "price": 0, "hours": 1, "probability": 0.5}}, "price"),
    ({"rule": {"kind": "touch_above", "price": 1, "hours": 1, "probability": 1}}, "probability"),
    ({"rule": {"kind": "volatility_above", "percentile": 100}}, "percentile"),
    ({"rule": {"kind": "volatility_above"}}, "percentile"),
    ({"destination": "json://127.0.0.1/hook"}, "begins with one of discord, mailto"),
    ({"destination": "ntfy://a/b ntfy://c/d"}, "begins with one of"),
    ({"destination": "slack://a/b/c?template=/etc/passwd"}, "has no options but"),
    ({"destination": "mailto://a:b@example.com?to=c&pgppub=/etc/passwd"}, "has no options but"),
    ({"destination": "mailto://a:b@example.com?to=c;pgppub=/etc/passwd"}, "has no options but"),
    ({"destination": "ntfy://x/" + 500 * "a"}, "500"),
    ({"destination": "tgram://no-token/1"}, "Apprise does not understand it"),
    ({"destination": "ntfy://localhost/topic"}, "its host has no public address"),
]


def test_what_cannot_be_a_rule_is_refused(alerts: Alerts) -> None:
    for changes, problem in REFUSED:
        answer = alerts.request("POST", body=alerts.body(**changes))
        assert (answer.status_code, problem in answer.text) == (422, True), answer.text
    assert alerts.request("POST", body=alerts.body(pair="doge_usdt")).status_code == 404
    assert alerts.list() == []


def test_hosts_of_the_own_network_are_refused(alerts: Alerts) -> None:
    hosts = ["127.0.0.1:9", "10.0.0.1", "169.254.169.254", "2130706433", "[::1]"]
    own = [f"ntfy://{host}/topic?mode=private" for host in hosts]
    mail = [f"mailto{s}://a:b@example.com?smtp={host}" for s in ("", "s") for host in ("192.168.0.1", "localhost")]
    public = [
        "ntfys://1.1.1.1/topic",
        "mailtos://a:b@example.com?smtp=1.1.1.1",
        "ntfys://topic",
        "discord://1234567/abcdefg",
    ]
    problems = alerts.service._send([{"destination": each} for each in [*own, *mail, *public]], seconds=60)

    refused = len(own) + len(mail)
    assert problems == ["its host has no public address"] * refused + [None] * len(public)


@pytest.mark.parametrize(
    ("host", "is_refused"),
    [("127.0.0.1", True), ("localhost", True), ("169.254.169.254", True), (None, False)],
)
def test_a_redirect_reaches_allowed_addresses_only(alerts: Alerts, host: str | None, is_refused: bool) -> None:
    with HttpServer() as target, Ntfy(f"http://{host or '127.0.0.1'}:{target.server_port}/") as redirecting:
        allowed = [] if is_refused else [("127.0.0.1", target.server_port)]
        alerts.service.allowed = frozenset({redirecting.allowed, *allowed})
        [problem] = alerts.service._send(
            [{"destination": redirecting.destination, "title": "title", "body": "body"}], seconds=60
        )

        assert len(redirecting.requests) == 1
        assert (len(target.requests), problem) == ((0, "not delivered") if is_refused else (1, None))


PUBLIC = ("1.1.1.1", "93.184.215.14", "2606:4700:4700::1111")
NOT_PUBLIC = (
    *("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "224.0.0.1"),
    *("240.0.0.1", "255.255.255.255", "192.0.2.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1"),
    *("ff02::1", "::ffff:1.1.1.1", "::ffff:127.0.0.1", "64:ff9b::10.0.0.1", "2002:7f00:1::", "2001:0:4136:e378::"),
    *("2001:db8::1", "localhost", "example.com", "", 8, None),
)


def test_only_hosts_of_the_internet_are_public_and_no_other_kind_of_socket_connects() -> None:
    assert [each for each in (*PUBLIC, *NOT_PUBLIC) if is_public(each)] == list(PUBLIC)
    guard = Guard(frozenset())
    for address in ("/run/docker.sock", b"\0abstract", (3, 4)):
        with pytest.raises(PermissionError, match="not public"):
            guard.audit("socket.connect", (None, address))


def run_process(project: str, database: str, exchange: str, port: int, barrier: Any) -> None:
    """One of several processes: when all are ready it evaluates the rules."""
    settings = Settings(database_url=database, secret_key=KEY, env="local")
    service = ForecastService(ModelRepository.open("local", Path(project)), BinanceClient(exchange))
    service.refresh_models()
    service.refresh_candles()
    alerts = AlertService(settings, Accounts(settings), service, frozenset({("127.0.0.1", port)}))
    barrier.wait(120)
    alerts.evaluate()


def test_of_two_processes_one_sends(make_place, exchange: Any, postgres_url: str, ntfy: Ntfy) -> None:
    place, context = make_place(), multiprocessing.get_context("spawn")
    with running_api(place, exchange, postgres_url, secret_key=KEY) as api:
        alerts = Alerts(api, ntfy)
        for _ in range(3):
            alerts.add()
        given = (str(place.project), postgres_url, exchange.url, ntfy.server_port, context.Barrier(2))
        processes = [context.Process(target=run_process, args=given) for _ in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()

        assert [process.exitcode for process in processes] == [0, 0]
        links = [re.search(r"token=(\S+)", each["message"]) for each in ntfy.messages]
        assert len(links) == 3
        assert {alerts.service.check_link(link[1]) for link in links if link} == {each.id for each in alerts.list()}


def test_a_close_that_leaves_its_band_starts_a_round_in_a_thread_of_its_own_and_sends_one_message(
    start_api: Callable[..., Any], ntfy: Ntfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.alerts.service.ROUND_SECONDS", 3_600)
    monkeypatch.setattr(AlertService, "_run", RUN)
    alerts = Alerts(start_api(secret_key=KEY), ntfy)
    rule, service = alerts.add("left_band"), alerts.api.service
    for _ in range(40):
        before = service.get("btc_usdt").forecast
        alerts.api.exchange.clock.advance(HOUR)
        service.refresh_candles()
        close = service.get("btc_usdt").forecast.last_close
        low, high = before.quantiles[0][before.levels.index(0.1)], before.quantiles[0][before.levels.index(0.9)]
        if not low <= close <= high:
            break
        wait_until(lambda: alerts.service._newest["btc_usdt"][0] is service.get("btc_usdt").forecast)
        assert ntfy.messages == []
    wait_until(lambda: ntfy.messages)

    [message] = ntfy.messages
    assert f"btc_usdt closed at {close:.8g} at" in message["message"]
    assert f"{low:.8g} to {high:.8g}." in message["message"]
    assert alerts.list()[0].id == rule.id
