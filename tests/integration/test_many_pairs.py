"""Pairs side by side: each a run of its own, on this machine and on a cluster, with the same results."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cluster import cluster as cluster_in
from conftest import free_port

PAIRS = ("ada_usdt", "btc_usdt", "eth_usdt")
UNKNOWN = "nope_usdt"
SAME = (
    "02_intermediate/{pair}/klines.parquet",
    "05_model_input/{pair}/scalers.pkl",
    "06_models/{pair}/candidate.onnx",
    "07_model_output/{pair}/walk.pkl",
    "08_reporting/{pair}/scores.parquet",
    "08_reporting/{pair}/metrics.json",
)
"""What a pair's run makes and stamps with neither a time nor a version; a pickle of the challengers, which has the same
values, also says which of its strings are one in memory."""


@pytest.fixture(scope="module")
def side_by_side(tmp_path_factory: pytest.TempPathFactory, kedro: Any, steady_exchange: Any, make_project: Any) -> Any:
    """A project, and what ``kedro run --pipeline=all`` said there of three pairs and one that does not exist."""
    project = make_project(tmp_path_factory.mktemp("all") / "project", kedro, steady_exchange.url)
    project.write_local(f"pairs: [{', '.join((*PAIRS, UNKNOWN))}]\n")
    command = project.run(pipeline="all", running__workers=2)
    return project, command, command.error()


@pytest.mark.slow
def test_one_pairs_failure_leaves_the_others_alone_and_is_told_at_the_end(side_by_side: Any) -> None:
    project, command, line = side_by_side
    assert line.startswith("1 of 4 pairs failed (nope_usdt)")
    *rows, last, _, total = command.output.splitlines()[-6:]
    assert total.startswith("4 pairs, 3 published; ")
    assert [row.split()[0] for row in rows] == list(PAIRS)
    assert re.match(r"nope_usdt +[\d.]+ s  FAILED  nope_usdt is not traded on Binance", last)
    for pair in PAIRS:
        assert project.champion(pair).manifest.pair == pair


@pytest.mark.slow
def test_each_pair_has_a_version_and_a_run_of_its_own(side_by_side: Any) -> None:
    project, *_ = side_by_side
    versions = {project.champion(pair).manifest.version for pair in PAIRS}
    assert len(versions) == len(PAIRS)
    with contextlib.closing(sqlite3.connect(project.path("mlflow.db"))) as store:
        named = dict(store.execute("select name, status from runs"))
        tagged = {value for (value,) in store.execute("select value from tags where key = 'version'")}
    assert named == {**dict.fromkeys(PAIRS, "FINISHED"), UNKNOWN: "FAILED"}
    assert tagged >= versions


@pytest.mark.slow
def test_every_line_of_a_pair_begins_with_it(side_by_side: Any) -> None:
    _, command, _ = side_by_side
    ours = re.compile(r"\d\d:\d\d:\d\d \w+ +make_us_rich\.runners\.fan_out: \d/4 \w+: ")
    lines = command.errors.splitlines()[:-1]
    assert len([line for line in lines if ours.match(line)]) == 4
    others = [line for line in lines if "make_us_rich" in line and not ours.match(line)]
    assert others
    assert {line.split(" | ")[0] for line in others} <= {*PAIRS, UNKNOWN}


@pytest.mark.slow
def test_a_pair_beside_others_makes_what_it_makes_alone(side_by_side: Any, new_project: Any) -> None:
    project, *_ = side_by_side
    new_project.run(pipeline="btc_usdt").ok()
    assert different(project, new_project, "btc_usdt") == []


@pytest.fixture
def cluster(new_project: Any) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a Dask scheduler on loopback, and three workers that stand in a project's folder."""
    with cluster_in(new_project.folder, 3, new_project.cold_env) as running:
        yield running


def parent_of(pid: int) -> int:
    """Its parent's process (proc(5): the fourth field of stat), or 0."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def worker_of_a_pair(project: Any, command: Any, workers: list[Any]) -> tuple[Any, str]:
    """A worker whose pair is being run, and the pair: its process is the child of the worker's warm one."""
    while command.running:
        for lock in project.path(".locks").glob("*.lock"):
            holder = json.loads(lock.read_text() or "{}").get("process", 0)
            beside = parent_of(parent_of(holder))
            for worker in workers:
                if worker.pid == beside:
                    return worker, lock.stem
        time.sleep(0.02)
    raise AssertionError(command.errors[-3000:])


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_makes_what_one_machine_makes(
    side_by_side: Any, new_project: Any, cluster: tuple[str, list[Any]]
) -> None:
    address, workers = cluster
    new_project.write_local(f"pairs: [{', '.join((*PAIRS, UNKNOWN))}]\n")
    runner = "--runner=make_us_rich.runners.DaskRunner"
    command = new_project.run(runner, pipeline="all", running__scheduler=address)
    lost, pair = worker_of_a_pair(new_project, command, workers)
    lost.kill()
    assert command.error().startswith("1 of 4 pairs failed (nope_usdt)")
    told = {
        line.split("fan_out: ")[1].split()[1].rstrip(":"): line for line in command.errors.splitlines() if "/4 " in line
    }
    assert told.keys() == {*PAIRS, UNKNOWN}
    assert f"at w{workers.index(lost)})" not in told[pair]
    for name in PAIRS:
        assert len(new_project.versions(pair=name)) == 1
        assert different(side_by_side[0], new_project, name) == []


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_line(new_project: Any) -> None:
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    runner = "--runner=make_us_rich.runners.DaskRunner"
    line = new_project.run(runner, pipeline="all", running__scheduler=nowhere).error()
    assert line == f"no Dask scheduler answers at {nowhere}; start one with dask scheduler"


def different(one: Any, other: Any, pair: str) -> list[str]:
    """Files that are not the same, bit for bit."""
    paths = [path.format(pair=pair) for path in SAME]
    return [path for path in paths if one.path(path).read_bytes() != other.path(path).read_bytes()]


def processes_in(folder: Path) -> set[int]:
    """Processes that stand in a folder."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):  # It ended meanwhile.
            if link.resolve() == folder.resolve():
                found.add(int(link.parent.name))
    return found


def await_none(folder: Path, seconds: float) -> set[int]:
    """Wait until no process stands in a folder; those that still do."""
    deadline = time.monotonic() + seconds
    while (left := processes_in(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=lambda how: how.name)
def test_nothing_outlives_the_command(new_project: Any, how: signal.Signals) -> None:
    new_project.write_local(f"pairs: [{', '.join(PAIRS)}]\n")
    command = new_project.run(pipeline="all", running__workers=2)
    locks = new_project.path(".locks")
    while command.running and len(list(locks.glob("*.lock")) if locks.exists() else []) < 2:
        time.sleep(0.02)
    assert len(processes_in(new_project.folder)) >= 4, "the command, the warm process, two pairs"
    os.kill(command.pid, how)
    assert command.wait() != 0
    assert await_none(new_project.folder, 40) == set()
    holder = json.loads((locks / f"{PAIRS[0]}.lock").read_text())
    assert holder["process"] != command.pid, "a pair is held by its own process"


@pytest.mark.slow
def test_only_what_is_asked_for_of_each_pair_runs(new_project: Any) -> None:
    new_project.write_local("pairs: [btc_usdt, eth_usdt]\n")
    command = new_project.run("--tags=fetching", pipeline="all").ok()
    assert [line.split()[-1] for line in command.output.splitlines()[-4:-2]] == ["done", "done"]
    assert new_project.path("02_intermediate", "eth_usdt", "klines.parquet").exists()
    assert not new_project.path("04_feature").exists()
