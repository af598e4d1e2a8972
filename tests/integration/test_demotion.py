"""A champion that is far too wide, lived through: demoted, held back, and back again after the cool-down."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.month.project import PAIR, STORE, Project, lay_out
from make_us_rich.alerts.alert import Kind
from make_us_rich.alerts.checks import check_all
from make_us_rich.catalog import load_champion, load_pointer, open_catalog
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.inference.champion import Champion
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket

START = datetime(2025, 3, 1, 0, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
PARAMETERS: dict[str, Any] = {
    "architectures": "har",
    "history_days": 120,
    "walk_forward": {"folds": 2, "hours": 168, "lead_in_hours": 168, "least_windows": 300},
    # Any challenger that is better on average passes: what is looked at is what comes after the gate.
    "gate": {
        "folds": 2,
        "fold_hours": 168,
        "least_skill": 0.0,
        "folds_won": 0.0,
        "p_value": 0.9,
        "coverage_points": 0.5,
        "cooldown_days": 5,
    },
    "monitoring": {"demotion": {"least_forecasts": 30}},
    "alerts": {"disk_free": 0.0},
}
TOO_WIDE = 10.0


class Story:
    """The project, hour by hour."""

    def __init__(self, folder: Path, exchange: ReplayServer) -> None:
        self.folder, self.exchange = folder, exchange
        self.project = Project(folder, exchange.clock.now)

    def pass_hours(self, hours: int) -> None:
        """Monitor every hour."""
        for _ in range(hours):
            self.exchange.clock.advance(HOUR)
            self.project.run("monitor_")

    def retrain(self) -> None:
        self.project.run()

    def plant(self) -> None:
        """Let the champion be served far too wide, whatever calibration says."""
        path = self.path("06_models", "widths.json")
        record = json.loads(path.read_text())
        path.write_text(json.dumps({**record, "factors": [TOO_WIDE] * 24}))

    def path(self, layer: str, name: str) -> Path:
        return self.folder / STORE / layer / PAIR / name

    @property
    def champion(self) -> Champion:
        return load_champion(open_catalog("local", self.folder), PAIR)

    @property
    def pointer(self) -> ChampionPointer:
        return load_pointer(open_catalog("local", self.folder), PAIR)

    @property
    def record(self) -> pd.DataFrame:
        return pd.read_parquet(self.path("07_model_output", "live_record.parquet"))

    @property
    def newest_verdict(self) -> str:
        verdicts = pd.read_parquet(self.path("08_reporting", "verdicts.parquet"))
        newest = verdicts[verdicts["version"] == verdicts["version"].iloc[-1]]
        return str(newest.loc[newest["architecture"] == "har", "reason"].iloc[0])


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A champion that was published, and has been served for two hours."""
    folder = tmp_path_factory.mktemp("demotion") / "project"
    with (
        pytest.MonkeyPatch.context() as patch,
        ReplayServer(SimulatedMarket(5), Clock(START, speed=0), weight_limit=10**9) as exchange,
    ):
        project = lay_out(folder, exchange.url, PARAMETERS)
        patch.chdir(project)
        patch.delenv("MAKE_US_RICH_API_URL", raising=False)
        made = Story(project, exchange)
        made.retrain()
        assert made.champion.manifest.architecture == "har"
        made.pass_hours(2)
        yield made


@pytest.mark.slow
@pytest.mark.timeout(900)  # Half a minute, on a machine that has nothing else to do.
def test_a_bad_champion_is_demoted_held_back_and_comes_back(story: Story) -> None:
    bad = story.champion.manifest
    story.plant()
    story.pass_hours(51)
    assert story.pointer.demotion is None, "29 forecasts have come true in full, 30 are needed"

    story.pass_hours(1)
    demotion = story.pointer.demotion
    assert demotion is not None
    assert demotion.demoted is not None
    assert (demotion.demoted.version, demotion.demoted.architecture) == (bad.version, "har")
    assert demotion.reason.startswith(f"demoted: har {bad.version}: mean CRPS ")

    # What is served now is what was shown beside the bad one, made from the same fit.
    served = story.champion
    assert served.manifest.architecture == "baseline"
    assert served.manifest.data == bad.data
    story.pass_hours(1)
    newest = story.record[story.record["issued_at"] == story.record["issued_at"].max()]
    assert set(newest["architecture"]) == {"baseline"}
    assert newest["q05"].tolist() == newest["b05"].tolist()
    card = story.path("06_models", "card.md") / served.manifest.version / "card.md"
    assert "**Published by a demotion.**" in card.read_text()

    # Its owner is told.
    found = {alert.kind: alert.text for alert in check_all("local", story.exchange.clock.now)}
    assert found.keys() == {Kind.DEMOTED}
    assert "The next challenger that passes the gate takes over" in found[Kind.DEMOTED]

    # The same recipe would pass the same folds; it is held back.
    story.retrain()
    assert story.champion.manifest.architecture == "baseline"
    assert "refused: demoted at 2025-03-03" in story.newest_verdict
    assert "held back until 2025-03-08" in story.newest_verdict

    # After the cool-down the gate decides as ever, and an honest champion is not demoted for its past.
    story.exchange.clock.jump(START + timedelta(days=8))
    story.retrain()
    assert story.champion.manifest.architecture == "har"
    story.pass_hours(2)
    scores = json.loads(story.path("08_reporting", "live_scores.json").read_text())
    assert scores["standing"]["reason"].startswith("not judged yet: 0 of its forecasts have come true")
    assert scores["unexplained"] == 0
