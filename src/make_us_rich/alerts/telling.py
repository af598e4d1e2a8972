"""What has changed since the last round, told once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from make_us_rich.alerts.alert import Alert, AlertRules, Kind
from make_us_rich.alerts.masking import mask
from make_us_rich.alerts.sending import Sender
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.run import utc_now

log = logging.getLogger(__name__)

KEPT = 100
"""What has been told is remembered so far back."""

_HOUR = timedelta(hours=1)
_ONCE = {Kind.DEMOTED}
"""Kinds that nobody needs to be reminded of."""


class Open(BaseModel):
    """Something that is wrong since a while; ``told`` is when that was last said, None where it has not been."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alert: Alert
    since: datetime
    told: datetime | None = None


class Told(BaseModel):
    """Something that was said.

    Attributes:
        at: When, UTC.
        alert: What about.
        event: ``raised``, ``reminded`` or ``over``.
        text: In words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    alert: Alert
    event: str
    text: str


class Memory(BaseModel):
    """What is remembered from round to round.

    Attributes:
        open: What is wrong, by the alert's key.
        recovering: What is over and has been told of as wrong, but not yet as over.
        quiet: When something was last told, by the alert's key.
        messages: When messages were sent, within the last hour.
        told: The newest last.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    open: dict[str, Open] = {}
    recovering: dict[str, Open] = {}
    quiet: dict[str, datetime] = {}
    messages: tuple[datetime, ...] = ()
    told: tuple[Told, ...] = ()

    @classmethod
    def read(cls, record: Any) -> Memory:
        """Check a stored record.

        Raises:
            ArtifactError: It is damaged.
        """
        try:
            return cls.model_validate(record)
        except ValidationError as exc:
            raise ArtifactError("the memory of the alerts is damaged; delete alerts_*.json in data/") from exc


@dataclass(frozen=True)
class Round:
    """What a round has come to.

    Attributes:
        found: What is wrong.
        told: What was said of it.
        sent: Whether the message arrived; True where there was nothing to say.
    """

    found: tuple[Alert, ...]
    told: tuple[Told, ...]
    sent: bool


class Alerts:
    """Says what is new, what lasts and what is over.

    Args:
        load: The memory as it is stored; an empty record at first.
        save: Stores it.
        sender: Where messages go.
        rules: How often something is told.
        clock: The time of day, UTC.
    """

    def __init__(
        self,
        load: Callable[[], Mapping[str, Any]],
        save: Callable[[dict[str, Any]], None],
        sender: Sender,
        rules: AlertRules,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._load, self._save = load, save
        self._sender, self._rules, self._clock = sender, rules, clock

    def tell(self, found: Iterable[Alert]) -> Round:
        """One message about what has changed, or none.

        What could not be sent is tried again with the next round.

        Args:
            found: Everything that is wrong now; what is not among it any more is over.
        """
        now = self._clock()
        wrong = tuple(each.model_copy(update={"text": mask(each.text)}) for each in found)
        memory = _compare(Memory.read(self._load()), wrong, now, self._rules)
        due = tuple(self._due(memory, now))
        sent = self._send(due, memory, now) if due else True
        after = _remember(memory, due, now) if due and sent else memory
        self._save(after.model_dump(mode="json"))
        return Round(wrong, due if sent else (), sent)

    def _due(self, memory: Memory, now: datetime) -> Iterator[Told]:
        quiet, remind = timedelta(minutes=self._rules.quiet_minutes), timedelta(hours=self._rules.remind_hours)
        for key, each in memory.open.items():
            lasted = _span(now - each.since)
            if each.told is None and now - memory.quiet.get(key, now - quiet) >= quiet:
                yield Told(at=now, alert=each.alert, event="raised", text=each.alert.text)
            elif each.told and now - each.told >= remind and each.alert.kind not in _ONCE:
                yield Told(at=now, alert=each.alert, event="reminded", text=f"still, after {lasted}: {each.alert.text}")
        for each in memory.recovering.values():
            text = f"over: {each.alert.kind.replace('_', ' ')}, {each.alert.subject}"
            yield Told(at=now, alert=each.alert, event="over", text=text)

    def _send(self, due: tuple[Told, ...], memory: Memory, now: datetime) -> bool:
        lately = [at for at in memory.messages if now - at < _HOUR]
        if len(lately) >= self._rules.messages_per_hour:
            log.warning("%d messages in an hour are enough: %d alerts wait", len(lately), len(due))
            return False
        for each in due:
            log.log(logging.INFO if each.event == "over" else logging.WARNING, "alert: %s", each.text)
        return self._sender.send(_title(due), "\n".join(f"{_MARKS[each.event]} {each.text}" for each in due))


def _compare(memory: Memory, wrong: tuple[Alert, ...], now: datetime, rules: AlertRules) -> Memory:
    """What is wrong now, beside what was."""
    quiet = timedelta(minutes=rules.quiet_minutes)
    opened = {}
    for alert in wrong:
        known = memory.open.get(alert.key) or memory.recovering.get(alert.key) or Open(alert=alert, since=now)
        opened[alert.key] = known.model_copy(update={"alert": alert})
    over = {key: each for key, each in {**memory.recovering, **memory.open}.items() if key not in opened and each.told}
    return memory.model_copy(
        update={
            "open": opened,
            "recovering": over,
            "quiet": {key: at for key, at in memory.quiet.items() if now - at < quiet},
            "messages": tuple(at for at in memory.messages if now - at < _HOUR),
        }
    )


def _remember(memory: Memory, due: tuple[Told, ...], now: datetime) -> Memory:
    """The same after a message has arrived."""
    said = {each.alert.key for each in due if each.event != "over"}
    opened = {key: each.model_copy(update={"told": now}) if key in said else each for key, each in memory.open.items()}
    return memory.model_copy(
        update={
            "open": opened,
            "recovering": {},
            "quiet": {**memory.quiet, **dict.fromkeys(said, now)},
            "messages": (*memory.messages, now),
            "told": (*memory.told, *due)[-KEPT:],
        }
    )


def _title(due: tuple[Told, ...]) -> str:
    raised = [each for each in due if each.event != "over"]
    if not raised:
        return "Make Us Rich: all of this is over"
    return f"Make Us Rich: {len(raised)} alert{'s' if len(raised) > 1 else ''}"


def _span(lasted: timedelta) -> str:
    hours, seconds = divmod(int(lasted.total_seconds()), 3600)
    return f"{hours} h {seconds // 60} min" if hours else f"{seconds // 60} min"


_MARKS = {"raised": "⚠", "reminded": "⚠", "over": "✓"}
