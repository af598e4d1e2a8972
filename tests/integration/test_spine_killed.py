"""kill -9 at any moment: what is served stays whole, and the next run succeeds."""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

STAGES = ("fetching", "preprocessing", "training", "evaluating", "converting", "exporting")
MOMENTS = int(os.environ.get("MAKE_US_RICH_KILLS", "20"))
"""How many runs are killed; one at the first node of each stage, the others at seeded random times."""
LANES = 2


def kill_after(command: Any, seconds: float) -> None:
    """kill -9 some time after the process has begun, unless it has ended by then."""
    assert command.pid
    time.sleep(seconds)
    if command.running:
        command.kill()


def kill_in(command: Any, stage: str) -> None:
    """kill -9 once the stage has completed its first node."""
    while command.running and not any(f".{stage}." in node for node in command.nodes):
        time.sleep(0.005)
    command.kill()


def check_whole(project: Any, published: set[str]) -> None:
    """What is served is a whole version, and it was published: named by the pointer that replaced the one before."""
    manifest = project.champion().manifest
    promotions = project.read_json("06_models", "btc_usdt", "champion.json")["promotions"]
    assert manifest.version == promotions[-1]["version"]
    assert published <= {promotion["version"] for promotion in promotions}
    assert project.champion().forecast(project.klines()).version == manifest.version


def hold_out(project: Any, kills: list[Any]) -> None:
    """Kill a run at each moment; look at what is served, then run to the end."""
    for kill in kills:
        before = project.champion().manifest.version
        kill(project.run())
        check_whole(project, {before})
        project.run().ok()
        after = project.champion().manifest.version
        assert after > before
        assert after in project.versions()


def duration_of(project: Any) -> float:
    """Seconds that a whole run takes here and now."""
    begun = time.monotonic()
    project.run().ok()
    return time.monotonic() - begun


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_9_at_any_moment_leaves_a_whole_champion_and_no_lock(trained: Any, tmp_path: Path) -> None:
    lanes = [trained.copy(tmp_path / f"lane_{number}" / "project") for number in range(LANES)]
    usual = duration_of(lanes[0])
    draw = random.Random(20250301)
    moments = [draw.uniform(0, usual) for _ in range(max(0, MOMENTS - len(STAGES)))]
    kills = [
        *(lambda command, stage=stage: kill_in(command, stage) for stage in STAGES),
        *(lambda command, moment=moment: kill_after(command, moment) for moment in moments),
    ][:MOMENTS]
    with ThreadPoolExecutor(LANES) as pool:
        for done in [pool.submit(hold_out, lane, kills[number::LANES]) for number, lane in enumerate(lanes)]:
            done.result()


def test_a_first_run_that_is_killed_leaves_nothing_published_and_the_next_one_publishes(new_project: Any) -> None:
    kill_in(new_project.run(), "converting")
    assert "nothing yet" in new_project.start("champions").ok().output
    new_project.run().ok()
    assert new_project.champion().manifest.version == new_project.versions()[-1]
