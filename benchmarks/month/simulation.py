"""The hours of the month, one after the other."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.month.api import Api
from benchmarks.month.plan import Event
from benchmarks.month.project import PAIR, REPOSITORY, STORE, Project
from make_us_rich.alerts import Alert, AlertRules, notify
from make_us_rich.alerts.checks import check_api, check_disk, check_store
from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.monitoring.live_record import OBSERVED
from make_us_rich.replay import Faults, ReplayServer
from make_us_rich.repository import ModelRepository

MODEL_OUTPUT = f"{STORE}/07_model_output/{PAIR}"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass
class Raised:
    """An alert as it was sent."""

    hour: int
    event: str
    alert: Alert
    text: str


@dataclass
class Outcome:
    """What the month has come to.

    Attributes:
        told: Everything that was sent, in order.
        failures: Runs that failed, by their error.
        retrained: Trainings that ended well.
        sizes: Megabytes of the store by hour.
        issued: Moments of all forecasts that were ever in the record.
        scored: Those of them whose every outcome has come.
        missed: Kind of each missed forecast by its hour.
        duplicates: Rows of the record that were there twice.
    """

    told: list[Raised] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    retrained: int = 0
    sizes: dict[int, float] = field(default_factory=dict)
    issued: set[pd.Timestamp] = field(default_factory=set)
    scored: set[pd.Timestamp] = field(default_factory=set)
    missed: dict[pd.Timestamp, str] = field(default_factory=dict)
    duplicates: int = 0

    def look(self, folder: Path) -> None:
        """Take in what the record has; it forgets what is old."""
        record, missed = (pd.read_parquet(folder / f"{name}.parquet") for name in ("live_record", "live_holes"))
        complete = (record["state"] == OBSERVED).groupby(record["issued_at"]).all()
        self.issued |= set(complete.index)
        self.scored |= set(complete.index[complete])
        self.missed |= dict(zip(missed["hour"], missed["kind"], strict=True))
        self.duplicates += int(record.duplicated(["issued_at", "horizon"]).sum())


@dataclass(frozen=True)
class Plan:
    """What is simulated.

    Attributes:
        start: The first hour, UTC.
        hours: How many.
        events: What goes wrong.
        retrain_every: Hours between two trainings.
    """

    start: datetime
    hours: int
    events: Sequence[Event]
    retrain_every: int = 24


class Month:
    """A machine, an exchange and an API, hour by hour.

    Args:
        folder: The project's; the working directory is to be the same.
        exchange: Started, its clock standing still.
        plan: What is simulated.
        api: Started with the month; None without one.
        seed: Of the moments at which runs are killed.
    """

    def __init__(self, folder: Path, exchange: ReplayServer, plan: Plan, api: Api | None = None, seed: int = 1) -> None:
        self.folder, self.exchange, self.plan, self.api = folder, exchange, plan, api
        self.outcome = Outcome()
        self._random = random.Random(seed)
        self._restart()

    def live(self) -> Iterator[int]:
        """Live through the hours; each is yielded when it is over."""
        for hour in range(self.plan.hours):
            self._set(hour, 2)
            with contextlib.ExitStack() as over:
                for event in (each for each in self.plan.events if each.covers(hour)):
                    over.enter_context(self._going_on(event, hour))
                self._hour(hour)
            if hour % 24 == 23 or hour == self.plan.hours - 1:
                self.outcome.sizes[hour] = megabytes(self.folder / STORE)
                self.outcome.look(self.folder / MODEL_OUTPUT)
            yield hour

    def _hour(self, hour: int) -> None:
        names = {event.name for event in self.plan.events if event.covers(hour)}
        if "machine" in names:
            return
        if "killed" in names:
            self._kill_a_run()
            self._set(hour, 17)
        self._try("monitor_")
        if hour % self.plan.retrain_every == 0 and self._try(""):
            self.outcome.retrained += 1
            if hour == 0:
                # A first forecast, as soon as there is a model.
                self._try("monitor_")
                self._start_api()
        self._check(hour)
        self._set(hour, 40)
        self._check(hour)

    def _try(self, kind: str) -> bool:
        try:
            self._project.run(kind)
        except Exception as exc:
            told = exc if isinstance(exc, MakeUsRichError) else exc.__cause__
            if not isinstance(told, MakeUsRichError):
                raise
            self.outcome.failures.append(str(told))
            return False
        return True

    def _check(self, hour: int) -> None:
        now = self.exchange.clock.now()
        repository = ModelRepository(self._catalog, (PAIR,), str(self.folder / STORE))
        rules = self._rules
        found = [*check_store(repository, rules, now), *check_disk(self.folder, rules), *check_api(rules)]
        for each in notify(found, "local", now):
            self.outcome.told.append(Raised(hour, each.event, each.alert, each.text))

    def _set(self, hour: int, minute: int) -> None:
        self.exchange.clock.jump(self.plan.start + hour * HOUR + minute * MINUTE)

    @contextlib.contextmanager
    def _going_on(self, event: Event, hour: int) -> Iterator[None]:
        if event.faults is not None:
            self.exchange.faults = event.faults
        if event.name == "api" and hour == event.start and self.api:
            self.api.kill()
        if event.name == "store":
            (self.folder / STORE).rename(self.folder / "away")
            (self.folder / STORE).touch()
        yield
        self._put_right(event, hour)

    def _put_right(self, event: Event, hour: int) -> None:
        self.exchange.faults = Faults()
        last = hour == event.start + event.hours - 1
        if event.name == "store":
            (self.folder / STORE).unlink()
            (self.folder / "away").rename(self.folder / STORE)
        if event.name == "api" and last:
            self._start_api()
        if event.name == "restart":
            self._restart_everything()

    def _restart_everything(self) -> None:
        self.exchange.stop()
        if self.api:
            self.api.kill()
        self.exchange.start()
        self._start_api()
        self._restart()

    def _start_api(self) -> None:
        if self.api:
            os.environ["MAKE_US_RICH_API_URL"] = self.api.address
            self.api.start()

    def _restart(self) -> None:
        """What runs the hours starts anew and reads everything again."""
        self._project = Project(self.folder, self.exchange.clock.now)
        self._catalog = self._project.open_catalog()
        self._rules: AlertRules = self._project.parameters.alerts

    def _kill_a_run(self) -> None:
        moment = self.exchange.clock.now().isoformat()
        command = [sys.executable, "-m", "benchmarks.month.once", str(self.folder), "monitor_", moment]
        environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(self._random.uniform(0.0, 1.0))
            process.kill()


def megabytes(folder: Path) -> float:
    """Size of all files."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
