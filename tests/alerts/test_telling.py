"""What is wrong is told once, what is over too, and nothing is lost where a message does not arrive."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from make_us_rich.alerts import Alert, Alerts, Kind
from make_us_rich.alerts.alert import AlertRules
from make_us_rich.alerts.telling import KEPT
from make_us_rich.domain.errors import ArtifactError

NOW = datetime(2025, 3, 1, 10, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RULES = AlertRules(
    late_minutes=90,
    stale_hours=3,
    model_hours=240,
    disk_free=0.1,
    api_seconds=1,
    quiet_minutes=60,
    remind_hours=24,
    messages_per_hour=6,
)
STALE = Alert(kind=Kind.STALE, subject="btc_usdt", text="btc_usdt: the newest candle closed at 05:00 UTC")
DEMOTED = Alert(kind=Kind.DEMOTED, subject="btc_usdt", text="btc_usdt: demoted")


class Owner:
    """Who is told; the memory is a record as it would be stored."""

    def __init__(self, rules: AlertRules = RULES) -> None:
        self.rules, self.now = rules, NOW
        self.memory: dict[str, Any] = {}
        self.inbox: list[tuple[str, str]] = []
        self.reachable = True

    def send(self, title: str, body: str) -> bool:
        if self.reachable:
            self.inbox.append((title, body))
        return self.reachable

    def tell(self, *found: Alert, after: timedelta = timedelta()) -> list[str]:
        """What arrives in this round, by a process that knows only what is stored."""
        self.now += after
        before = len(self.inbox)
        Alerts(lambda: self.memory, self.save, self, self.rules, lambda: self.now).tell(found)
        return [body for _, body in self.inbox[before:]]

    def save(self, data: dict[str, Any]) -> None:
        self.memory = data


@pytest.fixture
def owner() -> Owner:
    return Owner()


def test_what_is_new_is_told(owner: Owner) -> None:
    assert owner.tell(STALE) == [f"⚠ {STALE.text}"]
    assert owner.inbox[0][0] == "Make Us Rich: 1 alert"


def test_what_lasts_is_not_told_again(owner: Owner) -> None:
    owner.tell(STALE)

    assert owner.tell(STALE, after=10 * HOUR) == []


def test_another_text_about_the_same_is_not_told_again(owner: Owner) -> None:
    owner.tell(STALE)

    assert owner.tell(STALE.model_copy(update={"text": "4 hours old"}), after=HOUR) == []


def test_what_lasts_a_day_is_told_again(owner: Owner) -> None:
    owner.tell(STALE)

    assert owner.tell(STALE, after=24 * HOUR) == [f"⚠ still, after 24 h 0 min: {STALE.text}"]


def test_nobody_is_reminded_of_a_demotion(owner: Owner) -> None:
    owner.tell(DEMOTED)

    assert owner.tell(DEMOTED, after=100 * HOUR) == []


def test_what_is_over_is_told_once(owner: Owner) -> None:
    owner.tell(STALE)

    assert owner.tell(after=HOUR) == ["✓ over: candles stale, btc_usdt"]
    assert owner.inbox[-1][0] == "Make Us Rich: all of this is over"
    assert owner.tell(after=HOUR) == []


def test_what_comes_and_goes_is_not_told_each_time(owner: Owner) -> None:
    owner.tell(STALE)
    told = [body for at in range(10) for body in owner.tell(*([STALE] if at % 2 else []), after=5 * MINUTE)]

    assert told == ["✓ over: candles stale, btc_usdt"]


def test_what_came_back_within_the_quiet_time_and_lasts_is_told_after_it(owner: Owner) -> None:
    owner.tell(STALE)
    owner.tell(after=5 * MINUTE)

    assert owner.tell(STALE, after=5 * MINUTE) == []
    assert owner.tell(STALE, after=50 * MINUTE) == [f"⚠ {STALE.text}"]


def test_several_things_are_one_message(owner: Owner) -> None:
    assert owner.tell(STALE, DEMOTED) == [f"⚠ {STALE.text}\n⚠ {DEMOTED.text}"]


def test_a_message_that_did_not_arrive_is_tried_again(owner: Owner) -> None:
    owner.reachable = False
    owner.tell(STALE)
    owner.tell(STALE, after=MINUTE)
    owner.reachable = True

    assert owner.tell(STALE, after=MINUTE) == [f"⚠ {STALE.text}"]


def test_what_was_over_before_anybody_could_be_told_is_not_told(owner: Owner) -> None:
    owner.reachable = False
    owner.tell(STALE)
    owner.reachable = True

    assert owner.tell(after=MINUTE) == []


def test_that_it_is_over_is_tried_again_as_well(owner: Owner) -> None:
    owner.tell(STALE)
    owner.reachable = False
    owner.tell(after=MINUTE)
    owner.reachable = True

    assert owner.tell(after=MINUTE) == ["✓ over: candles stale, btc_usdt"]


def test_messages_are_limited_and_nothing_is_lost() -> None:
    owner = Owner(RULES.model_copy(update={"messages_per_hour": 2}))
    pairs = [Alert(kind=Kind.STALE, subject=f"pair_{at}", text=f"pair_{at}: stale") for at in range(4)]
    told = [owner.tell(*pairs[: at + 1], after=MINUTE) for at in range(4)]

    assert [len(each) for each in told] == [1, 1, 0, 0]
    assert owner.tell(*pairs, after=HOUR) == ["⚠ pair_2: stale\n⚠ pair_3: stale"]


def test_no_secret_is_told_or_remembered(owner: Owner) -> None:
    owner.tell(STALE.model_copy(update={"text": "postgresql://app:hunter22hunter@db is down"}))

    assert "hunter22hunter" not in str(owner.inbox) + str(owner.memory)


def test_the_last_hundred_are_remembered() -> None:
    owner = Owner(RULES.model_copy(update={"messages_per_hour": 1_000}))
    for at in range(KEPT):
        owner.tell(Alert(kind=Kind.STALE, subject=str(at), text=str(at)), after=MINUTE)

    assert len(owner.memory["told"]) == KEPT
    assert owner.memory["told"][-1]["event"] == "over"


def test_a_damaged_memory_says_what_to_delete(owner: Owner) -> None:
    owner.memory = {"open": 3}

    with pytest.raises(ArtifactError, match="the memory of the alerts is damaged"):
        owner.tell(STALE)
