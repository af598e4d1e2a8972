"""A champion that is far too wide, lived through: demoted, held back, and back again after the cool-down."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.month.project import PAIR, STORE, Project, lay_out
from make_us_rich.alerts import AlertKind
from make_us_rich.alerts.checks import find_alerts
from make_us_rich.domain.manifest import Manifest
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket
from make_us_rich.repository import ModelRepository

START = datetime(2025, 3, 1, 0, 5, tzinfo=UTC)
PARAMETERS: dict[str, Any] = {
    "architectures": "har",
    "history_days": 120,
    "backtest": {"n_folds": 2, "test_size": 168, "calibration_size": 168, "min_train_size": 300},
    # Any challenger that is better on average passes: what is looked at is what comes after the gate.
    "gate": {
        "min_folds": 2,
        "min_test_size": 168,
        "min_skill": 0.0,
        "min_win_rate": 0.0,
        "alpha": 0.9,
        "coverage_tolerance": 0.5,
        "cooldown_days": 5,
    },
    "monitoring": {"demotion": {"min_forecasts": 30}},
    "alerts": {"min_disk_free": 0.0},
}
TOO_WIDE = 10.0


class Story:
    """The project, hour by hour."""

    def __init__(self, folder: Path, exchange: ReplayServer) -> None:
        self.folder, self.exchange = folder, exchange
        self.project = Project(folder, exchange.clock.now)
        self.repository = ModelRepository.open("local", folder)

    @property
    def manifest(self) -> Manifest:
        return self.repository.model(PAIR).manifest

    def pass_hours(self, hours: int) -> None:
        for _ in range(hours):
            self.exchange.clock.advance(timedelta(hours=1))
            self.project.run("monitor_")

    def path(self, layer: str, name: str) -> Path:
        return self.folder / STORE / layer / PAIR / name


@pytest.mark.slow
@pytest.mark.timeout(900)  # Half a minute, on a machine that has nothing else to do.
def test_a_bad_champion_is_demoted_held_back_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAKE_US_RICH_API_URL", raising=False)
    with ReplayServer(SimulatedMarket(6), Clock(START, speed=0), weight_limit=10**9) as exchange:
        project = lay_out(tmp_path / "project", exchange.url, PARAMETERS)
        monkeypatch.chdir(project)
        live_through(Story(project, exchange))


def live_through(story: Story) -> None:
    """A champion is published, and served far too wide from its third hour on, whatever calibration says."""
    story.project.run()
    bad = story.manifest
    assert bad.architecture == "har"
    story.pass_hours(2)
    scales = story.path("06_models", "conformal_scales.json")
    scales.write_text(json.dumps({**json.loads(scales.read_text()), "factors": [TOO_WIDE] * 24}))
    story.pass_hours(51)
    assert story.repository.pointer(PAIR).demotion is None, "29 forecasts have come true in full, 30 are needed"

    story.pass_hours(1)
    demotion = story.repository.pointer(PAIR).demotion
    assert demotion is not None
    assert demotion.demoted is not None
    assert (demotion.demoted.version, demotion.demoted.architecture) == (bad.version, "har")
    assert demotion.reason.startswith(f"demoted: har {bad.version}: mean CRPS ")

    # What is served now is what was shown beside the bad one, made from the same fit.
    served = story.manifest
    assert served.architecture == "baseline"
    assert served.data == bad.data
    story.pass_hours(1)
    record = pd.read_parquet(story.path("07_model_output", "live_record.parquet"))
    newest = record[record["issued_at"] == record["issued_at"].max()]
    assert set(newest["architecture"]) == {"baseline"}
    assert newest["q05"].tolist() == newest["baseline_q05"].tolist()
    card = story.path("06_models", "card.md") / served.version / "card.md"
    assert "**Published by a demotion.**" in card.read_text()

    # An alert reports it.
    found = {alert.kind: alert.text for alert in find_alerts("local", story.exchange.clock.now()).alerts}
    assert found.keys() == {AlertKind.DEMOTION}
    assert "the next challenger that passes the gate replaces it" in found[AlertKind.DEMOTION]

    # The same recipe would pass the same folds; it is held back.
    story.project.run()
    assert story.manifest.architecture == "baseline"
    verdicts = pd.read_parquet(story.path("08_reporting", "verdicts.parquet"))
    refused = verdicts[verdicts["architecture"] == "har"]["reason"].iloc[-1]
    assert "refused: demoted at 2025-03-03" in refused
    assert "held back until 2025-03-08" in refused

    # After the cool-down the gate decides as ever, and an honest champion is not demoted for its past.
    story.exchange.clock.jump(START + timedelta(days=8))
    story.project.run()
    assert story.manifest.architecture == "har"
    story.pass_hours(2)
    scores = json.loads(story.path("08_reporting", "live_scores.json").read_text())
    assert scores["champion_status"]["reason"].startswith("too few forecasts for the demotion check: 0 are complete")
    assert scores["n_unexplained"] == 0
