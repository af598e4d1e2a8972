"""Pairs side by side: each a run of its own, on this machine and on a cluster, with the same results."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import time
from typing import Any

import psutil
import pytest

from benchmarks.cluster import cluster
from end_to_end.project import Command, Project
from make_us_rich.replay import ReplayServer
from network import free_port, wait_until
from processes import processes_in

PAIRS = ("btc_usdt", "eth_usdt")
UNKNOWN = "nope_usdt"
DASK = "--runner=make_us_rich.runners.DaskRunner"
SAME = (
    "02_intermediate/{pair}/klines.parquet",
    "05_model_input/{pair}/scalers.pkl",
    "06_models/{pair}/candidate.onnx",
    "07_model_output/{pair}/backtest.pkl",
    "08_reporting/{pair}/scores.parquet",
    "08_reporting/{pair}/metrics.json",
)
"""What a pair's run makes and stamps with neither a time nor a version; a pickle of the challengers, which has the same
values, also says which of its strings are one in memory."""


def different(one: Project, other: Project, pair: str) -> list[str]:
    """Files that are not the same, bit for bit."""
    paths = [path.format(pair=pair) for path in SAME]
    return [path for path in paths if one.path(path).read_bytes() != other.path(path).read_bytes()]


@pytest.fixture(scope="module")
def side_by_side(tmp_path_factory: pytest.TempPathFactory, steady_exchange: ReplayServer) -> tuple[Project, Command]:
    """A project after ``kedro run --pipeline=all`` of two pairs and one that does not exist, and that command."""
    project = Project.create(tmp_path_factory.mktemp("all") / "project", steady_exchange.url)
    project.write_local(f"pairs: [{', '.join((*PAIRS, UNKNOWN))}]\n")
    command = project.run(pipeline="all", running__workers=2)
    command.wait()
    return project, command


@pytest.mark.slow
def test_one_pairs_failure_leaves_the_others_alone_and_is_reported_at_the_end(
    side_by_side: tuple[Project, Command], trained: Project
) -> None:
    project, command = side_by_side
    assert command.error().startswith("1 of 3 pairs failed (nope_usdt)")
    *rows, last, _, total = command.output.splitlines()[-5:]
    assert total.startswith("3 pairs, 2 published; ")
    assert [row.split()[0] for row in rows] == list(PAIRS)
    assert re.match(r"nope_usdt +[\d.]+ s  FAILED  nope_usdt is not traded on Binance", last)
    assert different(project, trained, "btc_usdt") == [], "a pair next to others makes what it makes alone"

    # Each pair has a version and a run of its own.
    versions = {project.champion(pair).manifest.version for pair in PAIRS}
    assert len(versions) == len(PAIRS)
    with contextlib.closing(sqlite3.connect(project.path("mlflow.db"))) as store:
        named = dict(store.execute("select name, status from runs"))
        tagged = {value for (value,) in store.execute("select value from tags where key = 'version'")}
    assert named == {**dict.fromkeys(PAIRS, "FINISHED"), UNKNOWN: "FAILED"}
    assert tagged >= versions

    # Every line of a pair begins with it.
    ours = re.compile(r"\d\d:\d\d:\d\d \w+ +make_us_rich\.runners\.fan_out: \d/3 \w+: ")
    lines = command.errors.splitlines()[:-1]
    assert len([line for line in lines if ours.match(line)]) == 3
    others = [line for line in lines if "make_us_rich" in line and not ours.match(line)]
    assert others
    assert {line.split(" | ")[0] for line in others} <= {*PAIRS, UNKNOWN}


def test_parallel_runner_gives_one_pair_a_process_and_a_version(project: Project) -> None:
    before = project.versions()
    command = project.run("--runner=ParallelRunner").ok()
    assert re.search(r"^btc_usdt +[\d.]+ s  still serving", command.output, re.MULTILINE)
    assert len(project.versions()) == len(before) + 1
    holder = json.loads(project.path(".locks", "btc_usdt.lock").read_text())
    assert int(holder["process"]) != command.pid


def worker_of_a_pair(project: Project, command: Command, workers: list[Any]) -> tuple[Any, str]:
    """A worker one of whose pairs has stored its candles, and the pair."""
    while command.running:
        for pair in PAIRS:
            with contextlib.suppress(psutil.NoSuchProcess, OSError, ValueError):
                assert project.path("01_raw", pair, "klines.parquet").stat()
                holder = json.loads(project.path(".locks", f"{pair}.lock").read_text())
                parents = {parent.pid for parent in psutil.Process(int(holder["process"])).parents()}
                return next(worker for worker in workers if worker.pid in parents), pair
        time.sleep(0.02)
    raise AssertionError(command.errors[-3000:])


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_makes_what_one_machine_makes(
    side_by_side: tuple[Project, Command], new_project: Project
) -> None:
    new_project.write_local(f"pairs: [{', '.join((*PAIRS, UNKNOWN))}]\n")
    with cluster(new_project.folder, 2, new_project.cold_env) as (address, workers):
        command = new_project.run(DASK, pipeline="all", running__scheduler=address)
        lost, pair = worker_of_a_pair(new_project, command, workers)
        lost.kill()
        assert command.error().startswith("1 of 3 pairs failed (nope_usdt)")
    reports = [line.split("fan_out: ")[1] for line in command.errors.splitlines() if "/3 " in line]
    places = {report.split()[1].rstrip(":"): report for report in reports}
    assert places.keys() == {*PAIRS, UNKNOWN}
    assert f"at w{workers.index(lost)})" not in places[pair]
    for name in PAIRS:
        assert len(new_project.versions(pair=name)) == 1
        assert different(side_by_side[0], new_project, name) == []


def test_a_cluster_that_is_not_there_is_one_line(new_project: Project) -> None:
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    line = new_project.run(DASK, pipeline="all", running__scheduler=nowhere).error()
    assert line == f"no Dask scheduler answers at {nowhere}; start one with dask scheduler"


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=lambda how: how.name)
def test_nothing_outlives_the_command(new_project: Project, how: signal.Signals) -> None:
    new_project.write_local(f"pairs: [{', '.join(PAIRS)}]\n")
    command = new_project.run(pipeline="all", running__workers=2)
    locks = new_project.path(".locks")
    command.wait_until(lambda: len(list(locks.glob("*.lock"))) == 2)
    assert len(processes_in(new_project.folder)) >= 4, "the command, the fork server, two pairs"
    os.kill(command.pid, how)
    assert command.wait() != 0
    wait_until(lambda: not processes_in(new_project.folder))
    holder = json.loads((locks / f"{PAIRS[0]}.lock").read_text())
    assert int(holder["process"]) != command.pid, "a pair is held by its own process"
