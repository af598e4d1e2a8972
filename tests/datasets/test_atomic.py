"""A save that fails, or is killed, leaves the old file."""

import functools
import os
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
from make_us_rich.datasets.atomic import write_whole
from make_us_rich.datasets.files import JSONDataset, ParquetDataset, PickleDataset
from make_us_rich.storage import call_bucket


def write(path: Path) -> None:
    write_whole(LocalFileSystem(), str(path), lambda file: file.write(b"x"))


class Unpicklable:
    def __reduce__(self):
        raise RuntimeError("half-way")


BAD = [
    (JSONDataset, {"rows": 1}, {"a" * 10_000: 1, "b": object()}),
    (PickleDataset, {"rows": 1}, ["a" * 200_000, Unpicklable()]),
    (ParquetDataset, pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1] * 10_000, "b": [object()] * 10_000})),
]


@pytest.mark.parametrize(("dataset", "good", "bad"), BAD, ids=["json", "pickle", "parquet"])
def test_data_that_cannot_be_encoded_leave_the_old_file_and_no_version(store, dataset, good, bad):
    thing = dataset(**store.args("thing"))
    thing.save(good)
    with pytest.raises(DatasetError, match=r"Failed while saving"):
        thing.save(bad)
    loaded = dataset(**store.args("thing")).load()
    assert loaded.equals(good) if isinstance(good, pd.DataFrame) else loaded == good

    versioned = dataset(**store.args("versioned"), version=Version(None, "2025-01-01T00.00.00.000Z"))
    with pytest.raises(DatasetError, match=r"Failed while saving"):
        versioned.save(bad)
    assert not versioned.exists()


def test_denied_permission_leaves_the_old_file_and_reports_it():
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:  # Other users reach it, which tmp_path's parents do not let them.
        thing = JSONDataset(filepath=f"{folder}/thing.json")
        thing.save("old")
        Path(folder).chmod(0o555)
        if user == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(DatasetError, match=r"thing.json: permission denied; give this user read and write"):
                thing.save("new")
        finally:
            os.seteuid(user)
            Path(folder).chmod(0o755)
        assert thing.load() == "old"


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
atomic.write_whole(LocalFileSystem(), sys.argv[1], lambda file: file.write(b"new"))
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
    write(target)
    assert [path.name for path in tmp_path.iterdir()] == ["thing.json"]
    assert target.read_bytes() == b"x"


@pytest.mark.parametrize("name", [f".thing.json.{os.getppid()}.1.part", ".other.json.999999999.1.part"])
def test_the_part_of_a_living_run_or_of_another_file_is_left(tmp_path, name):
    (tmp_path / name).touch()
    write(tmp_path / "thing.json")
    assert (tmp_path / name).exists()


def test_files_keep_the_users_mask(tmp_path):
    old = os.umask(0o027)
    try:
        write(tmp_path / "thing")
    finally:
        os.umask(old)
    assert (tmp_path / "thing").stat().st_mode & 0o777 == 0o640


def test_a_store_that_is_gone_half_way_leaves_the_old_object(s3_server, shared_bucket, half_way):
    args = {"filepath": f"s3://{shared_bucket}/{secrets.token_hex(4)}/thing.json"}
    JSONDataset(**args, credentials=s3_server.credentials()).save("old")
    cut = JSONDataset(**args, credentials=s3_server.credentials(client_kwargs={"endpoint_url": half_way}))
    cut._fs.retries = 2
    with pytest.raises(DatasetError, match=r"thing.json: the store (stopped answering half-way|does not answer)"):
        cut.save("new" * 1_000_000)
    assert JSONDataset(**args, credentials=s3_server.credentials()).load() == "old"


def test_a_store_that_hangs_does_not_hold_the_run(s3_server, silent, monkeypatch):
    monkeypatch.setattr(atomic, "call_bucket", functools.partial(call_bucket, seconds=0.5))
    credentials = s3_server.credentials(client_kwargs={"endpoint_url": silent, "region_name": "us-east-1"})
    with pytest.raises(DatasetError, match=r"thing.json: the store stopped answering half-way"):
        JSONDataset(filepath="s3://bucket/thing.json", credentials=credentials).save(1)
