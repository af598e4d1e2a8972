"""kill -9 at any moment: what is served stays whole, and the next run succeeds."""

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket

STAGES = ("fetching", "preprocessing", "training", "evaluating", "converting", "exporting")
MOMENTS = int(os.environ.get("MAKE_US_RICH_KILLS", "20"))
"""How many runs are killed, one at the first node of each stage, the others at seeded random times (``make soak``)."""
SEED = int(os.environ.get("MAKE_US_RICH_SEED", "20250301"))
LANES = 2
NOW = datetime(2025, 3, 1, 12, 34, 56, tzinfo=UTC)


def kill_after(command: Any, seconds: float) -> None:
    """kill -9 some time after the process has begun, unless it has ended by then."""
    assert command.pid
    time.sleep(seconds)
    if command.running:
        command.kill()


def kill_in(command: Any, stage: str) -> None:
    """kill -9 once the stage has completed its first node, or the one that is named."""
    while command.running and not any(f".{stage}" in node for node in command.nodes):
        time.sleep(0.005)
    command.kill()


def kill_while_publishing(command: Any, seconds: float) -> None:
    """kill -9 some time after the run has begun to convert: what it writes from then on is what is served."""
    while command.running and not any(".converting." in node for node in command.nodes):
        time.sleep(0.005)
    time.sleep(seconds)
    command.kill()


def verdicts_of(project: Any) -> pd.DataFrame:
    """The verdict log."""
    return pd.read_parquet(project.path("08_reporting", "btc_usdt", "verdicts.parquet"))


def check_whole(project: Any, published: set[str]) -> None:
    """What is served is a whole version, and it was published: named by the pointer that replaced the one before."""
    manifest = project.champion().manifest
    promotions = project.read_json("06_models", "btc_usdt", "champion.json")["promotions"]
    assert manifest.version == promotions[-1]["version"]
    assert published <= {promotion["version"] for promotion in promotions}
    assert project.champion().forecast(project.klines()).version == manifest.version
    assert manifest.version in project.versions("card.json")
    # Each promotion has its verdict in the log, and no verdict is there twice.
    verdicts = verdicts_of(project)
    assert {promotion["version"] for promotion in promotions} <= set(verdicts["version"])
    assert not verdicts.duplicated(["version", "architecture"]).any()


def run_later(project: Any, exchange: ReplayServer) -> Any:
    """A run that has something new to publish: an hour has passed, and as many would do."""
    exchange.clock.advance(timedelta(hours=1))
    return project.run(gate__refresh_hours=1)


def hold_out(project: Any, exchange: ReplayServer, kills: list[Any]) -> int:
    """Kill a run at each moment; look at what is served, then run to the end. How many killed runs had published."""
    published = 0
    for number, kill in enumerate(kills, 1):
        before = project.champion().manifest.version
        kill(run_later(project, exchange))
        check_whole(project, {before})
        published += project.champion().manifest.version > before
        run_later(project, exchange).ok()
        after = project.champion()
        assert after.manifest.version > before
        assert after.manifest.version in project.versions()
        assert after.widths.version == after.manifest.version
        print(f"{project.folder.parent.name}: {number} of {len(kills)} killed, nothing torn", flush=True)
    return published


def at_random(draw: random.Random, usual: float) -> Callable[[Any], None]:
    """A kill at a random moment of a run; every third while it publishes, which is the shortest part of it."""
    if draw.random() < 1 / 3:
        late = draw.uniform(0, usual / 20)
        return lambda command: kill_while_publishing(command, late)
    moment = draw.uniform(0, usual)
    return lambda command: kill_after(command, moment)


def duration_of(project: Any, exchange: ReplayServer) -> float:
    """Seconds that a whole run takes here and now."""
    begun = time.monotonic()
    run_later(project, exchange).ok()
    return time.monotonic() - begun


@pytest.fixture
def lanes(trained: Any, market: SimulatedMarket, tmp_path: Path) -> Iterator[list[tuple[Any, ReplayServer]]]:
    """Projects with a champion, and for each an exchange whose time is its own."""
    with ExitStack() as servers:
        made = []
        for number in range(LANES):
            project = trained.copy(tmp_path / f"lane_{number}" / "project")
            exchange = servers.enter_context(ReplayServer(market, Clock(NOW, speed=0)))
            project.exchange = exchange.url
            made.append((project, exchange))
        yield made


@pytest.mark.slow
@pytest.mark.timeout(300 + 60 * MOMENTS)
def test_kill_9_at_any_moment_leaves_a_whole_champion_and_no_lock(lanes: list[tuple[Any, ReplayServer]]) -> None:
    usual = duration_of(*lanes[0])
    draw = random.Random(SEED)
    kills = [
        *(lambda command, stage=stage: kill_in(command, stage) for stage in STAGES),
        *(at_random(draw, usual) for _ in range(MOMENTS)),
    ][:MOMENTS]
    with ThreadPoolExecutor(LANES) as pool:
        held = [pool.submit(hold_out, *lane, kills[number::LANES]) for number, lane in enumerate(lanes)]
    told = {
        "kills": len(kills),
        "seed": SEED,
        "usual_seconds": round(usual, 1),
        "torn_or_missing": 0,
        "failed_next_runs": 0,
    }
    # Where a champion was torn or missing, or the run after failed, there is a failure instead of this line.
    print(json.dumps({**told, "killed_after_publishing": sum(done.result() for done in held)}))


def test_a_first_run_that_is_killed_leaves_nothing_published_and_the_next_one_publishes(new_project: Any) -> None:
    kill_in(new_project.run(), "converting")
    assert "nothing yet" in new_project.start("champions").ok().output
    new_project.run().ok()
    assert new_project.champion().manifest.version == new_project.versions()[-1]


def test_a_run_that_is_killed_between_its_verdict_and_its_promotion_is_no_second_look(new_project: Any) -> None:
    kill_in(new_project.run(), "evaluating.keep_verdicts")
    killed = verdicts_of(new_project)
    new_project.run().ok()
    verdicts = verdicts_of(new_project)
    pd.testing.assert_frame_equal(verdicts.head(len(killed)), killed)
    har = verdicts[verdicts["architecture"] == "har"]
    assert har["version"].nunique() == len(har) == 2
    # One recipe, judged twice on a day, was tried once.
    assert har["tried"].tolist() == [1, har["at"].dt.date.nunique()]
