"""A round: look, and tell."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from kedro.config import OmegaConfigLoader
from kedro.io import DatasetError

from make_us_rich.alerts.alert import AlertRules
from make_us_rich.alerts.checks import check_all
from make_us_rich.alerts.sending import AppriseSender, Sender, require_addresses
from make_us_rich.alerts.telling import Alerts, Round
from make_us_rich.catalog import open_config
from make_us_rich.config import find_project, store_root
from make_us_rich.datasets.stored import StoredJSONDataset
from make_us_rich.domain.errors import LockedError, ParameterError
from make_us_rich.domain.run import utc_now
from make_us_rich.locks import pair_lock
from make_us_rich.storage import explain

log = logging.getLogger(__name__)

RECORD = "08_reporting/alerts.json"
"""Below the store's root, for whoever wants to read what is wrong and what was told."""


def watch(
    env: str | None = None,
    clock: Callable[[], datetime] = utc_now,
    sender: Sender | None = None,
    patience: float = 0,
) -> Round | None:
    """Look at everything and tell what has changed; None where another process is doing so.

    Args:
        env: Environment, as in ``open_config``.
        clock: The machine's time, UTC.
        sender: Where messages go; to the addresses in ``MAKE_US_RICH_ALERT_URLS`` unless given.
        patience: Seconds to wait for another process's round to end, which may have looked before something went wrong.

    Raises:
        ParameterError: The project's configuration is wrong.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            with pair_lock(str(find_project() / "data"), "alerts"):
                return open_alerts(env, clock, sender).tell(check_all(env, clock))
        except LockedError:
            if time.monotonic() >= deadline:
                log.info("another process is watching; this round is left to it")
                return None
        time.sleep(0.2)


def open_alerts(
    env: str | None = None, clock: Callable[[], datetime] = utc_now, sender: Sender | None = None
) -> Alerts:
    """The alerts of an environment, ready to tell.

    Args:
        env: Environment, as in ``open_config``.
        clock: The machine's time, UTC.
        sender: Where messages go; to the addresses in ``MAKE_US_RICH_ALERT_URLS`` unless given.
    """
    config = open_config(env)
    memory, record = _memory(config), _record(config)

    def save(data: dict[str, Any]) -> None:
        memory.save(data)
        try:
            record.save({"open": list(data["open"].values()), "told": data["told"]})
        except DatasetError as exc:
            log.warning("what was told is not in the store: %s", explain(exc) or exc)

    rules = AlertRules.model_validate(config["parameters"]["alerts"])
    return Alerts(memory.load, save, sender or AppriseSender.from_environment(), rules, clock)


def send_test() -> None:
    """Send a message that says that it is only a test.

    Raises:
        ParameterError: There is nobody to tell, or it did not arrive.
    """
    sender = AppriseSender.from_environment()
    require_addresses(sender)
    if not sender.send("Make Us Rich: a test", "Alerts arrive here. Nothing is wrong."):
        raise ParameterError("the test did not arrive everywhere; the log above says where it failed")


def read_told(env: str | None = None) -> dict[str, Any]:
    """What is wrong and what was told last, as the store has it: ``open`` and ``told``; empty before the first round.

    Raises:
        StorageError: The store failed.
    """
    record: dict[str, Any] = _record(open_config(env)).load()
    return record


def _memory(config: OmegaConfigLoader) -> StoredJSONDataset:
    """On this machine: a store that is down must be told of, too, and only once."""
    return StoredJSONDataset(filepath=str(find_project() / "data" / f"alerts_{config.env}.json"))


def _record(config: OmegaConfigLoader) -> StoredJSONDataset:
    root = store_root(config["globals"]["root"], find_project())
    return StoredJSONDataset(filepath=f"{root}/{RECORD}", credentials=config["credentials"].get("storage", {}))
