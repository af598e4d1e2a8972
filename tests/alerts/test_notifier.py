"""Each change is sent once, and nothing is lost where a message does not arrive."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from make_us_rich.alerts import Alert, AlertKind, AlertRules, AlertState
from make_us_rich.alerts.notifier import send_changes
from synthetic import REPO

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SHIPPED = yaml.safe_load((REPO / "conf/base/parameters_alerts.yml").read_text())["alerts"]
RULES = AlertRules.model_validate(
    {**SHIPPED, "cooldown_minutes": 60, "repeat_interval_hours": 24, "max_messages_per_hour": 6}
)


def alert(subject: str = "btc_usdt") -> Alert:
    return Alert(kind=AlertKind.CANDLES_STALE, subject=subject, text=f"{subject}: stale")


STALE = alert()


class Owner:
    """Receives messages; the state is a record as it is stored."""

    def __init__(self, **rules: Any) -> None:
        self.rules, self.now = RULES.model_copy(update=rules), datetime(2025, 3, 1, 10, tzinfo=UTC)
        self.record: dict[str, Any] = {}
        self.titles: list[str] = []
        self.inbox: list[str] = []
        self.reachable = True
        self.n_attempts = 0

    def receive(self, title: str, body: str) -> bool:
        self.n_attempts += 1
        if self.reachable:
            self.titles.append(title)
            self.inbox.append(body)
        return self.reachable

    def check(self, *alerts: Alert, after: timedelta = timedelta()) -> list[str]:
        """What arrives after this check, by a process that knows only what is stored."""
        self.now += after
        before = len(self.inbox)
        state, _ = send_changes(AlertState.read(self.record, "file"), alerts, self.rules, self.now, self.receive)
        self.record = state.model_dump(mode="json")
        return self.inbox[before:]


@pytest.fixture
def owner() -> Owner:
    return Owner()


def test_an_alert_that_lasts_is_repeated_after_a_day_unless_it_is_a_demotion(owner: Owner) -> None:
    changed = STALE.model_copy(update={"text": "4 hours old"})
    demoted = Alert(kind=AlertKind.DEMOTION, subject="btc_usdt", text="har was worse")

    assert owner.check(STALE) == ["⚠ btc_usdt: stale"]
    assert owner.titles == ["Make Us Rich: 1 alert"]
    assert owner.check(changed, after=10 * HOUR) == []
    assert owner.check(changed, demoted, after=14 * HOUR) == [
        "⚠ not resolved after 24 h 0 min: 4 hours old\n⚠ har was worse"
    ]
    assert owner.check(changed, demoted, after=30 * HOUR) == ["⚠ not resolved after 54 h 0 min: 4 hours old"]


def test_an_alert_that_comes_and_goes_within_the_cooldown_is_sent_and_resolved_once(owner: Owner) -> None:
    owner.check(STALE)
    sent = [body for at in range(10) for body in owner.check(*([STALE] if at % 2 else []), after=5 * MINUTE)]

    assert sent == ["✓ resolved: candles stale, btc_usdt"]
    assert owner.titles[-1] == "Make Us Rich: resolved"
    assert owner.check(STALE, after=10 * MINUTE) == ["⚠ btc_usdt: stale"]
    assert [owner.check(after=HOUR) for _ in range(2)] == [["✓ resolved: candles stale, btc_usdt"], []]


def test_a_message_that_did_not_arrive_is_sent_with_the_next_check_unless_its_problem_is_gone(owner: Owner) -> None:
    for lost, then, expected in (
        ([STALE], [], []),
        ([STALE], [STALE], ["⚠ btc_usdt: stale"]),
        ([], [], ["✓ resolved: candles stale, btc_usdt"]),
    ):
        owner.reachable = False
        owner.check(*lost)
        owner.reachable = True
        assert owner.check(*then, after=MINUTE) == expected


def test_what_no_address_takes_is_tried_again_within_the_limit_of_an_hour(owner: Owner) -> None:
    owner.reachable = False
    for _ in range(24):
        owner.check(STALE, after=5 * MINUTE)

    # Six in each of the two hours.
    assert owner.n_attempts == 12
    owner.reachable = True
    assert owner.check(STALE, after=HOUR) == ["⚠ btc_usdt: stale"]


def test_messages_are_limited_and_nothing_is_lost() -> None:
    owner = Owner(max_messages_per_hour=2)
    alerts = [alert(f"pair_{at}") for at in range(4)]
    sent = [owner.check(*alerts[: at + 1], after=MINUTE) for at in range(4)]

    assert [len(each) for each in sent] == [1, 1, 0, 0]
    assert owner.check(*alerts, after=HOUR) == ["⚠ pair_2: stale\n⚠ pair_3: stale"]
