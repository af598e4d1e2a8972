"""What cannot be meant, an exchange or a store that fails: one line of error, and the champion stays."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from end_to_end.project import Project
from make_us_rich.replay import Faults, ReplayServer

BTC = "--pipeline=btc_usdt"
MEANINGLESS: list[tuple[str, list[str], list[str]]] = [
    ("", ["run", BTC, "--params=training.baseline.lookbak=3"], ["parameter training.baseline.lookbak", "--params"]),
    ("", ["run", BTC, "--tags=fetchin"], ["fetchin: no stage has this tag; choose from converting, evaluating"]),
    ("", ["run", BTC, "--from-nodes=btc_usdt.nothing"], ["btc_usdt.nothing", "kedro registry describe"]),
    ("training: [\n", ["run", BTC], ["parameters.yml"]),
    ("", ["run", "--pipeline=doge_usdt"], ["doge_usdt: not among the configured pairs (btc_usdt, eth_usdt, chz_usdt)"]),
    (
        "",
        ["registry", "describe", "nope"],
        ["'nope' pipeline not found. Existing pipelines: [__default__, all, btc_usdt"],
    ),
    ("pairs: [BTCUSDT]\n", ["registry", "list"], ["'BTCUSDT' is not a pair; write base and quote as in 'btc_usdt'"]),
]


def test_what_cannot_be_meant_is_refused_in_one_line_before_any_node_runs(project: Project) -> None:
    served = project.served()
    for local, arguments, words in MEANINGLESS:
        project.write_local(local)
        command = project.start(*arguments)
        line = command.error()
        assert all(word in line for word in words), line
        assert not command.nodes
    project.write_local("")
    assert project.served() == served


def test_an_exchange_that_refuses_or_is_not_there_is_reported_with_the_ways_out(
    project: Project, exchange: ReplayServer
) -> None:
    served = project.served()
    line = project.run(exchange_url="https://api.binance.invalid").error()
    assert "--env=demo" in line
    assert "exchange_url" in line

    stored = project.path("01_raw", "btc_usdt", "klines.parquet").read_bytes()
    exchange.faults, project.exchange = Faults({"451": 1}), exchange.url
    exchange.clock.advance(timedelta(hours=3))
    line = project.run().error()
    assert project.exchange in line
    assert "HTTP 451" in line
    assert "--params=exchange_url=https://data-api.binance.vision" in line
    assert project.path("01_raw", "btc_usdt", "klines.parquet").read_bytes() == stored
    assert project.served() == served


def test_a_young_pair_is_served_the_baseline_and_says_how_many_candles_a_model_needs(new_project: Project) -> None:
    done = new_project.run(history_days=15).ok()
    assert "360 usable candles, 2,000 are needed (`fetching.min_training_candles`)" in done.errors
    assert new_project.champion().manifest.architecture == "baseline"


def test_candles_that_are_not_whole_publish_nothing_and_say_why(project: Project, exchange: ReplayServer) -> None:
    served = project.served()
    project.path("01_raw", "btc_usdt", "klines.parquet").unlink()
    exchange.faults, project.exchange = Faults({"gaps": 0.003}), exchange.url
    exchange.clock.advance(timedelta(hours=3))
    done = project.run(gate__refresh_hours=1, fetching__max_missing_share=0.0).ok()
    assert "have no usable candle, more than `fetching.max_missing_share` allows (0.0%)" in done.errors
    assert "btc_usdt: not published, " in done.errors
    assert project.served() == served
    retained = project.versions()
    assert len(retained) == 2, "what was not published is retained to be looked at"
    verdict = project.read_json("06_models", "btc_usdt", "manifest.json", retained[-1], "manifest.json")["verdict"]
    assert not verdict["publish"]
    assert "have no usable candle" in verdict["reason"]


def test_a_damaged_file_is_reported_with_a_remedy_and_not_overwritten(project: Project) -> None:
    for name, stage, words in (
        ("01_raw/btc_usdt/klines.parquet", "fetching", ["klines.parquet", "damaged", "delete it"]),
        ("06_models/btc_usdt/champion.json", "exporting", ["btc_usdt: the champion pointer is damaged"]),
    ):
        whole = project.path(name).read_bytes()
        project.path(name).write_bytes(b"[]")
        line = project.run(f"--tags={stage}").error()
        assert all(word in line for word in words), line
        assert project.path(name).read_bytes() == b"[]"
        project.path(name).write_bytes(whole)


def test_a_damaged_champion_is_refused_and_a_run_replaces_it(project: Project) -> None:
    _, version = project.served()
    project.path("06_models", "btc_usdt", "model.onnx", version, "model.onnx").write_bytes(b"junk")
    line = project.start("champions").error()
    assert version in line
    assert "again" in line
    done = project.run().ok()
    assert "this run goes on as without a champion" in done.errors
    assert project.champion().manifest.version > version


@pytest.fixture
def small_disk(project: Project) -> Iterator[Path]:
    """The project's store on a disk with 64 kB left; the rest is in a file named filler."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    disk = project.path()
    moved = disk.rename(disk.with_name("moved"))
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        shutil.copytree(moved, disk, dirs_exist_ok=True)
        free = os.statvfs(disk)
        (disk / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize - 65_536))
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_reported_and_the_next_run_succeeds_once_there_is_room(
    project: Project, small_disk: Path
) -> None:
    served = project.served()
    line = project.run().error()
    assert str(small_disk) in line
    assert "the disk is full; free some space and run again" in line
    assert project.served() == served
    assert not list(small_disk.rglob("*.part")), "nothing half-written is left"
    (small_disk / "filler").unlink()
    project.run().ok()
    assert project.versions()[-1] > served[1]
