"""A save that fails, or is killed, leaves the old file."""

import functools
import os
import resource
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from fsspec.implementations.local import LocalFileSystem
from kedro.io import DatasetError, Version

from make_us_rich.datasets import atomic
from make_us_rich.datasets.atomic import JSONDataset, ParquetDataset, PickleDataset, write_whole
from make_us_rich.domain.errors import StorageError
from make_us_rich.storage import ask, explain

NOBODY = 65534


class Unpicklable:
    def __reduce__(self):
        raise RuntimeError("half-way")


BAD = [
    (JSONDataset, {"rows": 1}, {"a" * 10_000: 1, "b": object()}),
    (PickleDataset, {"rows": 1}, ["a" * 200_000, Unpicklable()]),
    (ParquetDataset, pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1] * 10_000, "b": [object()] * 10_000})),
]


@pytest.mark.parametrize(("dataset", "good", "bad"), BAD, ids=["json", "pickle", "parquet"])
def test_data_that_cannot_be_encoded_leave_the_old_file(store, dataset, good, bad):
    thing = dataset(**store.args("thing"))
    thing.save(good)
    with pytest.raises(DatasetError, match=r"Failed while saving"):
        thing.save(bad)
    loaded = dataset(**store.args("thing")).load()
    assert loaded.equals(good) if isinstance(good, pd.DataFrame) else loaded == good


@pytest.mark.parametrize(("dataset", "good", "bad"), BAD, ids=["json", "pickle", "parquet"])
def test_data_that_cannot_be_encoded_leave_no_version(store, dataset, good, bad):
    args = {**store.args("thing"), "version": Version(None, "2025-01-01T00.00.00.000Z")}
    with pytest.raises(DatasetError, match=r"Failed while saving"):
        dataset(**args).save(bad)
    assert not dataset(**args).exists()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 KiB, or a limit of that size on files where this user may not mount one."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True)
    if mounted.returncode == 0:
        yield "the disk is full; free some space"
        subprocess.run(["umount", tmp_path], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, hard))
    yield "larger than this user may write"
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path, small_disk):
    thing = JSONDataset(filepath=str(tmp_path / "thing.json"))
    thing.save("old")
    with pytest.raises(DatasetError, match=rf"thing.json: {small_disk}"):
        thing.save("new" * 100_000)
    assert thing.load() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["thing.json"]


@pytest.fixture
def open_folder():
    """A folder that other users reach, which tmp_path's parents do not let them."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_denied_permission_leaves_the_old_file_and_says_so(open_folder):
    thing = JSONDataset(filepath=str(open_folder / "thing.json"))
    thing.save("old")
    open_folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(DatasetError, match=r"thing.json: permission denied; give this user read and write"):
            thing.save("new")
    finally:
        os.seteuid(user)
        open_folder.chmod(0o755)
    assert thing.load() == "old"


def test_a_file_where_a_folder_should_be_is_named(tmp_path):
    (tmp_path / "btc_usdt").touch()
    with pytest.raises(DatasetError, match=r"klines.json: a (part of the path is a file|file is where a folder)"):
        JSONDataset(filepath=str(tmp_path / "btc_usdt" / "klines.json")).save(1)


def test_a_failing_sync_leaves_the_old_file(tmp_path, monkeypatch):
    thing = JSONDataset(filepath=str(tmp_path / "thing.json"))
    thing.save("old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(DatasetError, match=r"the disk failed to read or write"):
        thing.save("new")
    assert thing.load() == "old"
    assert len(list(tmp_path.iterdir())) == 1


KILLED = """
import os, sys, time
from fsspec.implementations.local import LocalFileSystem
from make_us_rich.datasets import atomic
os.fsync = lambda _: (print("writing", flush=True), time.sleep(60))
atomic.write_whole(LocalFileSystem(), sys.argv[1], b"new")
"""


def test_a_killed_run_leaves_the_old_file_and_the_next_one_cleans_up(tmp_path):
    target = tmp_path / "thing.json"
    target.write_bytes(b"old")
    run = subprocess.Popen([sys.executable, "-c", KILLED, str(target)], stdout=subprocess.PIPE)
    with run:
        assert run.stdout.readline() == b"writing\n"
        run.send_signal(signal.SIGKILL)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.glob(".*.part")] == [f".thing.json.{run.pid}.{run.pid}.part"]
    write_whole(LocalFileSystem(), str(target), b"next")
    assert [path.name for path in tmp_path.iterdir()] == ["thing.json"]
    assert target.read_bytes() == b"next"


def test_the_part_of_a_living_run_is_left(tmp_path):
    part = tmp_path / f".thing.json.{os.getppid()}.1.part"
    part.touch()
    write_whole(LocalFileSystem(), str(tmp_path / "thing.json"), b"x")
    assert part.exists()


def test_the_part_of_another_file_is_left(tmp_path):
    part = tmp_path / ".other.json.999999999.1.part"
    part.touch()
    write_whole(LocalFileSystem(), str(tmp_path / "thing.json"), b"x")
    assert part.exists()


def test_files_keep_the_users_mask(tmp_path):
    old = os.umask(0o027)
    try:
        write_whole(LocalFileSystem(), str(tmp_path / "thing"), b"x")
    finally:
        os.umask(old)
    assert (tmp_path / "thing").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"secret": "wrong"}, "refuses the access key or its secret; correct the credentials"),
        ({"key": "wrong"}, "refuses the access key or its secret; correct the credentials"),
        (
            {"client_kwargs": {"endpoint_url": "http://127.0.0.1:9"}},
            "does not answer; start it or correct its address",
        ),
    ],
    ids=["secret", "key", "endpoint"],
)
@pytest.mark.parametrize("action", ["save", "load"])
def test_a_bucket_that_cannot_be_used_is_explained(s3_server, shared_bucket, change, remedy, action):
    thing = JSONDataset(
        filepath=f"s3://{shared_bucket}/{secrets.token_hex(4)}/thing.json",
        credentials=s3_server.credentials(**change),
    )
    with pytest.raises(DatasetError, match=rf"thing.json: .*{remedy}") as caught:
        thing.save(1) if action == "save" else thing.load()
    assert remedy in explain(caught.value)
    assert s3_server.secret not in str(caught.value)


def test_a_missing_bucket_is_explained(s3_server):
    thing = JSONDataset(filepath="s3://no-such-bucket/thing.json", credentials=s3_server.credentials())
    with pytest.raises(DatasetError, match=r"no-such-bucket/thing.json: the bucket does not exist; create it"):
        thing.save(1)


def test_a_store_that_is_gone_half_way_leaves_the_old_object(s3_server, shared_bucket, half_way):
    args = {"filepath": f"s3://{shared_bucket}/{secrets.token_hex(4)}/thing.json"}
    JSONDataset(**args, credentials=s3_server.credentials()).save("old")
    cut = JSONDataset(**args, credentials=s3_server.credentials(client_kwargs={"endpoint_url": half_way}))
    cut._fs.retries = 2
    with pytest.raises(DatasetError, match=r"thing.json: the store (stopped answering half-way|does not answer)"):
        cut.save("new" * 1_000_000)
    assert JSONDataset(**args, credentials=s3_server.credentials()).load() == "old"


def test_a_store_that_hangs_does_not_hold_the_run(s3_server, silent, monkeypatch):
    monkeypatch.setattr(atomic, "ask", functools.partial(ask, seconds=0.5))
    credentials = s3_server.credentials(client_kwargs={"endpoint_url": silent, "region_name": "us-east-1"})
    with pytest.raises(DatasetError, match=r"thing.json: the store stopped answering half-way"):
        JSONDataset(filepath="s3://bucket/thing.json", credentials=credentials).save(1)


def test_another_process_s_object_is_seen_at_once(s3_server, shared_bucket):
    args = {
        "filepath": f"s3://{shared_bucket}/{secrets.token_hex(4)}/model.json",
        "version": Version(None, None),
    }
    reader = JSONDataset(**args, credentials=s3_server.credentials())
    assert not reader.exists()
    other = s3_server.credentials(default_block_size=6 * 2**20)  # Another filesystem object, with a cache of its own.
    JSONDataset(**args, credentials=other).save("fresh")
    assert reader.load() == "fresh"


def test_a_write_outside_kedro_fails_with_our_own_error(tmp_path):
    (tmp_path / "thing").mkdir()
    with pytest.raises(StorageError, match=r"thing: a folder is where a file should be"):
        write_whole(LocalFileSystem(), str(tmp_path / "thing"), b"x")
