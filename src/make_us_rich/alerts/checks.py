"""What is wrong now, looked at from outside: the catalog, the API over HTTP, the disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog

from make_us_rich.alerts.alert import Alert, AlertRules, Kind
from make_us_rich.catalog import load_pointer, open_catalog, open_config
from make_us_rich.config import find_project, store_root
from make_us_rich.domain.attempt import Attempt, read_attempts
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import ArtifactError, StorageError
from make_us_rich.domain.forecast import BASELINE
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.live import LiveScores
from make_us_rich.domain.manifest import Manifest
from make_us_rich.domain.run import utc_now
from make_us_rich.storage import check_storage, explain

API_VARIABLE = "MAKE_US_RICH_API_URL"
"""Where the API is; nobody asks it where this is not set."""


@dataclass(frozen=True)
class Watched:
    """What is looked at.

    Attributes:
        catalog: An open one.
        pairs: The configured ones.
        rules: When something is wrong.
        root: Of the store.
        credentials: Of the store.
        folder: On this machine, whose disk may fill.
        now: The machine's time, UTC.
    """

    catalog: DataCatalog
    pairs: tuple[str, ...]
    rules: AlertRules
    root: str
    credentials: dict[str, Any]
    folder: Path
    now: datetime


def check_all(env: str | None = None, clock: Callable[[], datetime] = utc_now) -> list[Alert]:
    """Everything that is wrong now.

    Args:
        env: Environment, as in ``open_config``.
        clock: The machine's time, UTC.

    Raises:
        ParameterError: The project's configuration is wrong.
    """
    config, folder = open_config(env), find_project()
    root = store_root(config["globals"]["root"], folder)
    watched = Watched(
        catalog=open_catalog(env),
        pairs=tuple(config["parameters"]["pairs"]),
        rules=AlertRules.model_validate(config["parameters"]["alerts"]),
        root=root,
        credentials=config["credentials"].get("storage", {}),
        folder=folder,
        now=clock(),
    )
    return [*check_store(watched), *check_disk(watched), *check_api(watched)]


def check_store(watched: Watched) -> Iterator[Alert]:
    """Whether the store answers, and what it says of each pair."""
    try:
        check_storage(watched.root, watched.credentials)
        for pair in watched.pairs:
            yield from check_pair(watched, pair)
    except StorageError as exc:
        yield Alert(kind=Kind.STORE, subject="store", text=f"the store cannot be used: {exc}")


def check_pair(watched: Watched, pair: str) -> Iterator[Alert]:
    """Runs, candles and model of one pair.

    Raises:
        StorageError: The store failed.
    """
    attempts = read_attempts(_load(watched, f"{pair}.attempts"), pair)
    yield from _runs(watched, pair, attempts)
    yield from _training(pair, _load(watched, f"{pair}.runs"))
    scores = LiveScores.read(_load(watched, f"{pair}.live_scores"), pair)
    if scores is None:
        return
    now = scores.at + (watched.now - scores.noted_at)
    yield from _candles(watched.rules, scores, now)
    yield from _model(watched, load_pointer(watched.catalog, pair), now)


def check_disk(watched: Watched) -> Iterator[Alert]:
    """Whether this machine's disk is nearly full."""
    usage = shutil.disk_usage(watched.folder)
    free = usage.free / usage.total
    if free < watched.rules.disk_free:
        told = f"{free:.1%} of the disk are free ({usage.free / 1e9:.1f} GB); make room, or runs will fail"
        yield Alert(kind=Kind.DISK, subject=str(watched.folder), text=f"{watched.folder}: {told}")


def check_api(watched: Watched) -> Iterator[Alert]:
    """Whether the API says that it is ready."""
    address = os.environ.get(API_VARIABLE)
    if not address:
        return
    said = _ask(f"{address.rstrip('/')}/readyz", watched.rules.api_seconds)
    if isinstance(said, str):
        yield Alert(
            kind=Kind.API, subject="api", text=f"the API at {address} {said}; look at its log, or start it again"
        )
        return
    reasons: list[str] = said.get("reasons", [])
    database = said.get("database", True)
    if not database:
        told = reasons[-1] if reasons else "it does not answer"
        yield Alert(kind=Kind.QUOTAS, subject="api", text=f"accounts and quotas: {told}; start the database again")
    others = reasons if database else reasons[:-1]
    if others:
        yield Alert(kind=Kind.API, subject="api", text=f"the API is not ready: {'; '.join(others)}")


def _runs(watched: Watched, pair: str, attempts: tuple[Attempt, ...]) -> Iterator[Alert]:
    ended = [each for each in attempts if each.ended is not None]
    if ended and ended[-1].error is not None:
        told = f"{pair}: the hourly run of {ended[-1].began:%H:%M} UTC failed: {ended[-1].error}"
        yield Alert(kind=Kind.FAILED, subject=pair, text=told)
        return
    good = [each.began for each in attempts if each.succeeded]
    since = max(good) if good else min((each.began for each in attempts), default=watched.now)
    if watched.now - since > timedelta(minutes=watched.rules.late_minutes):
        told = f"no hourly run has ended well since {since:%Y-%m-%d %H:%M} UTC; look at the schedule and its log"
        yield Alert(kind=Kind.LATE, subject=pair, text=f"{pair}: {told}")


def _training(pair: str, record: dict[str, Any]) -> Iterator[Alert]:
    """Whether the newest training of the hourly job failed; its record belongs to that job."""
    trained = [run for run in record.get("runs", []) if run.get("pipeline") == pair]
    if trained and not trained[-1].get("ok"):
        told = f"{pair}: the training of {trained[-1].get('hour')} failed: {trained[-1].get('reason')}"
        yield Alert(kind=Kind.FAILED, subject=f"{pair} training", text=told)


def _candles(rules: AlertRules, scores: LiveScores, now: datetime) -> Iterator[Alert]:
    if scores.newest_candle is None:
        return
    closed = scores.newest_candle + HOUR
    if now - closed > timedelta(hours=rules.stale_hours):
        told = f"the newest candle closed at {closed:%Y-%m-%d %H:%M} UTC; see whether the exchange can be reached"
        yield Alert(kind=Kind.STALE, subject=scores.pair, text=f"{scores.pair}: {told}")


def _model(watched: Watched, pointer: ChampionPointer, now: datetime) -> Iterator[Alert]:
    pair, version = pointer.pair, pointer.version
    if version is None:
        return
    manifest = Manifest.read(_load(watched, f"{pair}.manifest", version), f"{pair} {version}")
    if now - manifest.data.end > timedelta(hours=watched.rules.model_hours):
        told = (
            f"the model that is served was made from candles until {manifest.data.end:%Y-%m-%d %H:%M} UTC;"
            " kedro champions says why no newer one has passed"
        )
        yield Alert(kind=Kind.OLD, subject=pair, text=f"{pair}: {told}")
    if pointer.demotion and pointer.demotion.demoted and manifest.architecture == BASELINE:
        told = f"{pair}: {pointer.demotion.reason}. The next challenger that passes the gate takes over"
        yield Alert(kind=Kind.DEMOTED, subject=pair, text=told)


def _ask(address: str, seconds: float) -> dict[str, Any] | str:
    """What the API answers, or what is wrong with that in words."""
    import requests

    session = requests.Session()
    session.trust_env = False
    try:
        with session, session.get(address, timeout=seconds) as answer:
            said = answer.json()
    except requests.RequestException as exc:
        return f"does not answer ({type(exc).__name__})"
    return said if isinstance(said, dict) and "ready" in said else f"answers {answer.status_code} and no readiness"


def _load(watched: Watched, name: str, version: str | None = None) -> Any:
    try:
        return watched.catalog.load(name, version=version)
    except Exception as exc:
        line = explain(exc)
        if line is None:
            raise
        raise (StorageError if _is_store(exc) else ArtifactError)(line) from exc


def _is_store(exc: BaseException) -> bool:
    return any(isinstance(each, StorageError) for each in (exc, exc.__cause__, exc.__context__))
