"""The checks: the store with runs, candles and models, the disk, and the API over HTTP."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

from make_us_rich.alerts.alert import Alert, AlertKind, AlertRules
from make_us_rich.alerts.notifier import notify
from make_us_rich.catalog import find_project, open_config
from make_us_rich.domain.errors import ArtifactError, LockedError, StorageError
from make_us_rich.domain.forecast import BASELINE
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.live import LiveScores
from make_us_rich.domain.run import utc_now
from make_us_rich.domain.run_log import MONITORING, TRAINING, read_runs
from make_us_rich.locks import pair_lock
from make_us_rich.repository import ModelRepository
from make_us_rich.storage import check_storage

API_URL = "MAKE_US_RICH_API_URL"
"""Variable with the API's address; the API is not checked where it is not set."""


@dataclass(frozen=True)
class CheckResult:
    """Every current problem, and what was checked in words."""

    alerts: list[Alert]
    checked: str

    @property
    def summary(self) -> str:
        """One line."""
        if not self.alerts:
            return f"no problems found in {self.checked}"
        kinds = ", ".join(sorted({each.key for each in self.alerts}))
        return f"{len(self.alerts)} problem{'s' if len(self.alerts) > 1 else ''} found: {kinds}"


def run_checks(
    env: str | None = None, clock: Callable[[], datetime] = utc_now, timeout: float = 0
) -> CheckResult | None:
    """Check everything and send what has changed; None while another process does so.

    Args:
        env: Environment, as in ``open_config``.
        clock: The machine's time, UTC.
        timeout: Seconds to wait for the check of another process, which may have begun before a problem did.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            with pair_lock(str(find_project() / "data"), "alerts"):
                result = find_alerts(env, clock())
                notify(result.alerts, env, clock())
                return result
        except LockedError:
            if time.monotonic() >= deadline:
                return None
        time.sleep(0.2)


def find_alerts(env: str | None, now: datetime) -> CheckResult:
    """Run every check; ``now`` is the machine's time, UTC.

    Raises:
        ParameterError: The project's configuration is wrong.
    """
    rules = AlertRules.model_validate(open_config(env)["parameters"]["alerts"])
    repository = ModelRepository.open(env)
    alerts = [*check_store(repository, rules, now), *check_disk(find_project(), rules), *check_api(rules)]
    n_pairs = len(repository.pairs)
    api = ", disk and API" if os.environ.get(API_URL) else f" and disk (API not checked: {API_URL} is not set)"
    return CheckResult(alerts, f"{n_pairs} pair{'s' if n_pairs > 1 else ''}, store{api}")


def check_store(repository: ModelRepository, rules: AlertRules, now: datetime) -> Iterator[Alert]:
    """Check the store, and each pair's runs, candles and champion in it; a damaged file is an alert of its pair."""
    try:
        check_storage(repository.root, repository.credentials)
        for pair, (name, check) in product(repository.pairs, (("runs", _check_runs), ("champion", _check_champion))):
            try:
                yield from check(repository, pair, rules, now)
            except ArtifactError as exc:
                yield Alert(kind=AlertKind.STORE_DOWN, subject=f"{pair} {name}", text=str(exc))
    except StorageError as exc:
        yield Alert(kind=AlertKind.STORE_DOWN, subject="store", text=f"the store cannot be used: {exc}")


def check_disk(folder: Path, rules: AlertRules) -> Iterator[Alert]:
    """Check the free space on a folder's disk."""
    usage = shutil.disk_usage(folder)
    free = usage.free / usage.total
    if free < rules.min_disk_free:
        text = f"{folder}: {free:.1%} of the disk is free ({usage.free / 1e9:.1f} GB); free some space"
        yield Alert(kind=AlertKind.DISK_NEARLY_FULL, subject=str(folder), text=text)


def check_api(rules: AlertRules) -> Iterator[Alert]:
    """Check the API's readiness, and that of its database."""
    import requests

    address = os.environ.get(API_URL)
    if not address:
        return
    session = requests.Session()
    session.trust_env = False
    found = None
    try:
        with session, session.get(f"{address.rstrip('/')}/readyz", timeout=rules.api_timeout_seconds) as answer:
            problem = f"answers {answer.status_code} without its readiness"
            with suppress(requests.JSONDecodeError):
                found = answer.json()
    except requests.RequestException as exc:
        problem = f"does not answer ({type(exc).__name__})"
    if not isinstance(found, dict) or "ready" not in found:
        text = f"the API at {address} {problem}; check its log, or restart it"
        yield Alert(kind=AlertKind.API_NOT_READY, subject="api", text=text)
        return
    reasons: list[str] = found.get("reasons", [])
    if not found.get("database", True):
        # The database's reason is the last one.
        *reasons, reason = reasons or ["the database does not answer"]
        text = f"accounts and quotas: {reason}; restart the database"
        yield Alert(kind=AlertKind.QUOTA_STORE_DOWN, subject="api", text=text)
    if reasons:
        text = f"the API is not ready: {'; '.join(reasons)}"
        yield Alert(kind=AlertKind.API_NOT_READY, subject="api", text=text)


def _check_runs(repository: ModelRepository, pair: str, rules: AlertRules, now: datetime) -> Iterator[Alert]:
    # A run of the future was recorded while the clock was wrong.
    runs = [run for run in read_runs(repository.load(f"{pair}.runs"), pair) if run.started <= now]
    trainings, hourly = (
        [run for run in runs if run.pipeline == name.format(pair=pair)] for name in (TRAINING, MONITORING)
    )
    run = next((run for run in reversed(trainings) if run.ended), None)
    if run and run.failed:
        text = f"{pair}: the training of {run.started:%Y-%m-%d %H:%M} UTC failed: {run.reason}"
        yield Alert(kind=AlertKind.RUN_FAILED, subject=f"{pair} training", text=text)
    run = next((run for run in reversed(hourly) if run.ended), None)
    if run and run.failed:
        text = f"{pair}: the hourly run of {run.started:%H:%M} UTC failed: {run.reason}"
        yield Alert(kind=AlertKind.RUN_FAILED, subject=pair, text=text)
        return
    since = max((run.started for run in hourly if run.ok), default=min((run.started for run in hourly), default=now))
    if now - since > timedelta(minutes=rules.max_run_age_minutes):
        text = f"{pair}: no hourly run has succeeded since {since:%Y-%m-%d %H:%M} UTC; check the schedule and its log"
        yield Alert(kind=AlertKind.RUN_LATE, subject=pair, text=text)


def _check_champion(repository: ModelRepository, pair: str, rules: AlertRules, now: datetime) -> Iterator[Alert]:
    """Check the candles and the champion of a pair by the exchange's clock."""
    scores = LiveScores.read(repository.load(f"{pair}.live_scores"), pair)
    if scores is None:
        return
    now = scores.at + (now - scores.recorded_at)
    closed = scores.newest_candle + HOUR if scores.newest_candle else now
    if now - closed > timedelta(hours=rules.max_candle_age_hours):
        text = f"{pair}: the newest candle closed at {closed:%Y-%m-%d %H:%M} UTC; check access to the exchange"
        yield Alert(kind=AlertKind.CANDLES_STALE, subject=pair, text=text)
    pointer = repository.pointer(pair)
    if pointer.version is None:
        return
    manifest = repository.manifest(pair, pointer.version)
    if now - manifest.data.end > timedelta(hours=rules.max_model_age_hours):
        until = f"{manifest.data.end:%Y-%m-%d %H:%M} UTC"
        text = f"{pair}: the champion was trained on candles until {until}; kedro champions shows the newest verdicts"
        yield Alert(kind=AlertKind.MODEL_OLD, subject=pair, text=text)
    if pointer.demotion and pointer.demotion.demoted and manifest.architecture == BASELINE:
        text = f"{pair}: {pointer.demotion.reason}; the next challenger that passes the gate replaces it"
        yield Alert(kind=AlertKind.DEMOTION, subject=pair, text=text)
