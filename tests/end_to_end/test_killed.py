"""kill -9 at any moment: what is served stays whole, and the next run succeeds."""

import json
import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from end_to_end.project import NOW, Command, Project
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket

STAGES = ("fetching", "preprocessing", "training", "evaluating", "converting", "exporting")
N_KILLS = int(os.environ.get("MAKE_US_RICH_KILLS", "10"))
"""How many runs are killed, one at the first node of each stage, the others at seeded random times (``make soak``)."""
SEED = int(os.environ.get("MAKE_US_RICH_SEED", "20250301"))
LANES = 2

Lane = tuple[Project, ReplayServer]
Moment = tuple[str, float]
"""The stage that must have completed a node ("" for none), and seconds after that."""


def kill(command: Command, stage: str, seconds: float) -> None:
    """kill -9 at a moment of a run."""
    if stage:
        command.wait_for_node(f".{stage}")
    time.sleep(seconds)
    command.kill()


def draw_moments(usual: float) -> list[Moment]:
    """One moment a stage, the others at random; every third while publishing, which is the shortest part of a run."""
    draw = random.Random(SEED)
    moments: list[Moment] = [(stage, 0) for stage in STAGES]
    while len(moments) < N_KILLS:
        publishing = draw.random() < 1 / 3
        moments.append(("converting", draw.uniform(0, usual / 20)) if publishing else ("", draw.uniform(0, usual)))
    return moments[:N_KILLS]


def check_whole(project: Project, published: str) -> None:
    """What is served is a whole version, and it was published: named by the pointer that replaced the one before."""
    manifest = project.champion().manifest
    promotions = project.read_json("06_models", "btc_usdt", "champion.json")["promotions"]
    assert manifest.version == promotions[-1]["version"]
    assert published in {promotion["version"] for promotion in promotions}
    assert project.champion().forecast(project.klines()).version == manifest.version
    assert manifest.version in project.versions("card.json")
    # Each promotion has its verdict in the log, and no verdict is there twice.
    verdicts = project.verdicts()
    assert {promotion["version"] for promotion in promotions} <= set(verdicts["version"])
    assert not verdicts.duplicated(["version", "architecture"]).any()


def run_later(lane: Lane) -> Command:
    """A run that has something new to publish: an hour has passed, and as many would do."""
    project, exchange = lane
    exchange.clock.advance(timedelta(hours=1))
    return project.run(gate__refresh_hours=1)


def hold_out(lane: Lane, moments: list[Moment]) -> int:
    """Kill a run at each moment and look at what is served; every other time, the next run is killed, too.

    Returns:
        How many killed runs had published.
    """
    project, published = lane[0], 0
    for number, moment in enumerate(moments, start=1):
        before = project.champion().manifest.version
        kill(run_later(lane), *moment)
        check_whole(project, before)
        published += project.champion().manifest.version > before
        if number % 2 and number < len(moments):
            continue
        run_later(lane).ok()
        after = project.champion()
        assert after.manifest.version > before
        assert after.scales.version == after.manifest.version
    return published


@pytest.fixture
def lanes(trained: Project, market: SimulatedMarket, tmp_path: Path) -> Iterator[list[Lane]]:
    """Projects that serve the baseline, and for each an exchange whose time is its own."""
    with ExitStack() as servers:
        made = []
        for number in range(LANES):
            project = trained.copy(tmp_path / f"lane_{number}" / "project")
            exchange = servers.enter_context(ReplayServer(market, Clock(NOW, speed=0)))
            project.exchange = exchange.url
            project.parameters["architectures"] = "baseline"
            made.append((project, exchange))
        yield made


@pytest.mark.slow
@pytest.mark.timeout(300 + 60 * N_KILLS)
def test_kill_9_at_any_moment_leaves_a_whole_champion_and_no_lock(lanes: list[Lane]) -> None:
    begun = time.monotonic()
    run_later(lanes[0]).ok()
    moments = draw_moments(usual=time.monotonic() - begun)
    with ThreadPoolExecutor(LANES) as pool:
        held = [pool.submit(hold_out, lane, moments[number::LANES]) for number, lane in enumerate(lanes)]
    published = sum(done.result() for done in held)
    # Where a champion was torn or missing, or the run after failed, there is a failure instead of this line.
    told = {"kills": len(moments), "seed": SEED, "torn_or_missing": 0, "failed_next_runs": 0}
    print(json.dumps({**told, "killed_after_publishing": published}))


def test_a_first_run_that_is_killed_publishes_nothing_and_its_verdict_is_no_second_look(new_project: Project) -> None:
    kill(new_project.run(), "evaluating.update_verdicts", 0)
    killed = new_project.verdicts()
    assert "nothing yet" in new_project.start("champions").ok().output

    new_project.run().ok()
    assert new_project.champion().manifest.version == new_project.versions()[-1]
    verdicts = new_project.verdicts()
    pd.testing.assert_frame_equal(verdicts.head(len(killed)), killed)
    har = verdicts[verdicts["architecture"] == "har"]
    assert har["version"].nunique() == len(har) == 2
    # One recipe, evaluated twice on a day, was tried once.
    assert har["n_comparisons"].tolist() == [1, har["at"].dt.date.nunique()]
