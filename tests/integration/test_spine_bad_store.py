"""A disk that refuses or is full, and files that are damaged: one line, and the champion stays."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def test_a_store_that_may_not_be_written_is_told_before_any_node_runs(project: Any, served: Any) -> None:
    project.path().chmod(0o555)
    command = project.start(*project.run_arguments(), plain=1)
    line = command.error()
    project.path().chmod(0o755)
    assert str(project.path()) in line
    assert "permission denied; give this user read and write access" in line
    assert not command.nodes
    served.check()


@pytest.mark.parametrize("folder", ["01_raw", "06_models"])
def test_a_folder_that_may_not_be_written_is_told_by_its_path(project: Any, served: Any, folder: str) -> None:
    closed = project.path(folder, "btc_usdt")
    closed.chmod(0o555)
    line = project.start(*project.run_arguments(), plain=1).error()
    closed.chmod(0o755)
    assert str(closed) in line
    assert "permission denied; give this user read and write access" in line
    served.check()


def test_a_version_that_may_not_be_written_leaves_the_champion(project: Any, served: Any) -> None:
    closed = project.path("06_models", "btc_usdt", "model.onnx")
    closed.chmod(0o555)
    line = project.start(*project.run_arguments(), plain=1).error()
    closed.chmod(0o755)
    assert str(closed) in line
    assert "permission denied" in line
    served.check()


def test_a_pointer_that_may_not_be_read_is_told(project: Any, served: Any) -> None:
    project.pointer_file().chmod(0)
    line = project.start(*project.run_arguments(), plain=1).error()
    project.pointer_file().chmod(0o644)
    assert str(project.pointer_file()) in line
    assert "permission denied" in line
    served.check()


@pytest.fixture
def small_disk(project: Any) -> Iterator[Path]:
    """The project's store on a disk with 64 kB left."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    disk = project.path()
    moved = disk.with_name("moved")
    disk.rename(moved)
    disk.mkdir()
    used = sum(file.stat().st_size for file in moved.rglob("*") if file.is_file())
    files = sum(1 for _ in moved.rglob("*"))
    size = used + 4096 * files + 65_536
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        shutil.copytree(moved, disk, dirs_exist_ok=True)
        _fill(disk, leave=65_536)
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _fill(disk: Path, leave: int) -> None:
    free = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - leave)))


def test_a_full_disk_is_told_and_the_next_run_succeeds_once_there_is_room(
    project: Any, served: Any, small_disk: Path
) -> None:
    line = project.run().error()
    assert str(small_disk) in line
    assert "the disk is full; free some space and run again" in line
    served.check()
    assert not list(small_disk.rglob("*.part")), "nothing half-written is left"
    (small_disk / "filler").unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    project.run().ok()
    assert project.versions()[-1] > served.version


DAMAGED = [
    ("01_raw/btc_usdt/klines.parquet", b"PAR1 nothing", [], ["klines.parquet", "damaged", "delete it"]),
    ("01_raw/btc_usdt/klines.parquet", b"", [], ["klines.parquet", "damaged", "delete it"]),
    ("02_intermediate/btc_usdt/klines.parquet", b"", ["--tags=preprocessing"], ["klines.parquet", "damaged"]),
    ("04_feature/btc_usdt/returns.parquet", b"\0" * 99, ["--tags=training"], ["returns.parquet", "damaged"]),
    ("05_model_input/btc_usdt/split.json", b'{"rows":', ["--tags=training"], ["split.json", "damaged"]),
    ("05_model_input/btc_usdt/scalers.pkl", b"\x80\x05", ["--tags=training"], ["scalers.pkl", "damaged"]),
    ("06_models/btc_usdt/challengers.pkl", b"junk", ["--tags=converting"], ["challengers.pkl", "damaged"]),
    ("06_models/btc_usdt/candidate.onnx", b"junk", ["--tags=exporting"], ["candidate", "checksum"]),
    ("06_models/btc_usdt/candidate.json", b"{}", ["--tags=exporting"], ["Candidate", "run the pair again"]),
    ("05_model_input/btc_usdt/lineup.json", b"{}", ["--tags=training"], ["Lineup", "run the pair again"]),
    ("06_models/btc_usdt/tuned.json", b"{", [], ["tuned.json", "damaged", "delete it"]),
    ("07_model_output/btc_usdt/walk.pkl", b"", ["--tags=evaluating"], ["walk.pkl", "damaged", "delete it"]),
    ("08_reporting/btc_usdt/data_report.json", b"[]", ["--tags=evaluating"], ["DataReport", "run the pair again"]),
    ("08_reporting/btc_usdt/judgement.json", b"{}", ["--tags=converting"], ["Judgement", "run the pair again"]),
    ("08_reporting/btc_usdt/verdicts.parquet", b"PAR1", [], ["verdicts.parquet", "damaged", "delete it"]),
]


@pytest.mark.parametrize(("name", "content", "options", "words"), DAMAGED, ids=[row[0] for row in DAMAGED])
def test_a_damaged_file_is_told_by_its_path_with_a_remedy(
    project: Any, served: Any, name: str, content: bytes, options: list[str], words: list[str]
) -> None:
    project.path(name).write_bytes(content)
    line = project.run(*options).error()
    assert all(word in line for word in words), line
    served.check()


def test_a_deleted_intermediate_is_told_with_a_remedy(project: Any, served: Any) -> None:
    project.path("06_models/btc_usdt/challengers.pkl").unlink()
    line = project.run("--tags=converting").error()
    assert "challengers.pkl" in line
    assert "run the pair again" in line
    served.check()


@pytest.mark.parametrize("artifact", ["model.onnx", "manifest.json"])
@pytest.mark.parametrize("content", [b"", b"junk", b"{}", None])
def test_a_damaged_champion_is_refused_with_a_remedy(project: Any, artifact: str, content: bytes | None) -> None:
    version = project.champion().manifest.version
    path = project.path("06_models", "btc_usdt", artifact, version, artifact)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    line = project.start("champions").error()
    assert line.startswith("btc_usdt") or str(path) in line
    assert version in line
    assert "run the pair again" in line or "train the pair again" in line or "delete it" in line, line


@pytest.mark.parametrize("artifact", ["model.onnx", "manifest.json"])
def test_a_run_replaces_a_damaged_champion_and_says_so(project: Any, served: Any, artifact: str) -> None:
    project.path("06_models", "btc_usdt", artifact, served.version, artifact).write_bytes(b"junk")
    done = project.run().ok()
    assert f"{served.version}" in done.errors
    assert "this run takes it for no champion" in done.errors
    assert project.champion().manifest.version > served.version


@pytest.mark.parametrize("content", [b"", b"[]", b'{"pair": "eth_usdt", "promotions": []}'])
def test_a_damaged_pointer_is_refused_with_a_remedy_and_nothing_is_overwritten(project: Any, content: bytes) -> None:
    project.pointer_file().write_bytes(content)
    line = project.run("--tags=exporting").error()
    assert "champion" in line
    assert "btc_usdt" in line
    assert project.pointer_file().read_bytes() == content
