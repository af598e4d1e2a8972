"""Compare the problems of this check with those before, and send what has changed, once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from kedro.config import OmegaConfigLoader
from kedro.io import DatasetError

from make_us_rich.alerts.alert import Alert, AlertKind, AlertRules, AlertState, Event, Notification, OpenAlert
from make_us_rich.alerts.sending import mask, send_message
from make_us_rich.catalog import find_project, open_config, store_root
from make_us_rich.datasets.files import OptionalJSONDataset
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.storage import explain

log = logging.getLogger(__name__)


def notify(alerts: list[Alert], env: str | None, now: datetime) -> tuple[Notification, ...]:
    """Send what has changed since the previous check, given every current problem, and store the new state.

    The state is a file of this machine, so that a store that is down is reported, too, and only once. One that cannot
    be read begins anew: a problem is sent twice rather than never. A copy for the interface goes into the store.
    """
    config = open_config(env)
    file = find_project() / "data" / f"alert_state_{config.env}.json"
    local = OptionalJSONDataset(filepath=str(file))
    rules = AlertRules.model_validate(config["parameters"]["alerts"])
    try:
        state = AlertState.read(local.load(), str(file))
    except (ArtifactError, DatasetError) as exc:
        log.warning("%s; it begins anew", explain(exc) or exc)
        state = AlertState()
    state, sent = send_changes(state, alerts, rules, now)
    record = state.model_dump(mode="json")
    local.save(record)
    try:
        _stored_state(config)[0].save(record)
    except DatasetError as exc:
        log.warning("the state of the alerts was not copied to the store: %s", explain(exc) or exc)
    return sent


def read_alerts(env: str | None = None) -> AlertState:
    """The state of the alerts in the store; empty before the first check.

    Raises:
        ArtifactError: It is damaged.
        StorageError: The store failed.
    """
    dataset, address = _stored_state(open_config(env))
    return AlertState.read(dataset.load(), address)


def _stored_state(config: OmegaConfigLoader) -> tuple[OptionalJSONDataset, str]:
    address = f"{store_root(config['globals']['root'], find_project())}/08_reporting/alerts.json"
    return OptionalJSONDataset(filepath=address, credentials=config["credentials"].get("storage", {})), address


def send_changes(
    state: AlertState,
    alerts: Iterable[Alert],
    rules: AlertRules,
    now: datetime,
    send: Callable[[str, str], bool] = send_message,
) -> tuple[AlertState, tuple[Notification, ...]]:
    """Send one message about what has changed since the previous state, or none; the new state, and what was sent.

    What no address took is tried again at the next check, within the limit of messages an hour.

    Args:
        state: After the previous check.
        alerts: Every current problem; those of the state that are not among them are resolved.
        rules: How often an alert is sent.
        now: UTC.
        send: Sends a title and a body, and returns whether an address took them.
    """
    state = _update(state, alerts, rules, now)
    due = tuple(_due(state, rules, now))
    if not due:
        return state, ()
    if len(state.messages) >= rules.max_messages_per_hour:
        log.warning(
            "the limit of messages an hour is reached (%d tried); %d alerts are deferred", len(state.messages), len(due)
        )
        return state, ()
    raised = [each.alert.key for each in due if each.event != Event.RESOLVED]
    for each in due:
        log.log(logging.INFO if each.event == Event.RESOLVED else logging.WARNING, "alert: %s", each.text)
    title = f"{len(raised)} alert{'s' if len(raised) > 1 else ''}" if raised else "resolved"
    body = "\n".join(f"{'✓' if each.event == Event.RESOLVED else '⚠'} {each.text}" for each in due)
    state = state.model_copy(update={"messages": (*state.messages, now)})
    if not send(f"Make Us Rich: {title}", body):
        return state, ()
    notified = {key: state.open[key].model_copy(update={"notified": now}) for key in raised}
    update = {
        "open": {**state.open, **notified},
        "resolved": {},
        "raised": {**state.raised, **dict.fromkeys(raised, now)},
        "notifications": (*state.notifications, *due)[-100:],
    }
    return state.model_copy(update=update), due


def _update(state: AlertState, alerts: Iterable[Alert], rules: AlertRules, now: datetime) -> AlertState:
    """The state with the current problems, before anything is sent."""
    known = {**state.resolved, **state.open}
    current = {}
    for alert in alerts:
        before = known.get(alert.key) or OpenAlert(alert=alert, since=now)
        masked = alert.model_copy(update={"text": mask(alert.text)})
        current[alert.key] = before.model_copy(update={"alert": masked})
    cooldown = timedelta(minutes=rules.cooldown_minutes)
    return AlertState(
        open=current,
        resolved={key: each for key, each in known.items() if key not in current and each.notified},
        raised={key: at for key, at in state.raised.items() if now - at < cooldown},
        messages=tuple(at for at in state.messages if now - at < timedelta(hours=1)),
        notifications=state.notifications,
    )


def _due(state: AlertState, rules: AlertRules, now: datetime) -> Iterator[Notification]:
    repeat_interval = timedelta(hours=rules.repeat_interval_hours)
    for key, each in state.open.items():
        alert, text = each.alert, each.alert.text
        if each.notified is None and key not in state.raised:
            yield Notification(at=now, alert=alert, event=Event.RAISED, text=text)
        elif each.notified and now - each.notified >= repeat_interval and alert.kind != AlertKind.DEMOTION:
            hours, seconds = divmod(int((now - each.since).total_seconds()), 3600)
            text = f"not resolved after {hours} h {seconds // 60} min: {text}"
            yield Notification(at=now, alert=alert, event=Event.REPEATED, text=text)
    for each in state.resolved.values():
        text = f"resolved: {each.alert.kind.replace('_', ' ')}, {each.alert.subject}"
        yield Notification(at=now, alert=each.alert, event=Event.RESOLVED, text=text)
