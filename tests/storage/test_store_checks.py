"""What the store's failures mean, and finding out whether it can be used."""

import errno
import os

import pytest
from botocore.exceptions import ClientError
from kedro.io import DatasetError
from kedro_datasets.partitions import PartitionedDataset
from s3fs.errors import translate_boto_error

from make_us_rich.domain.errors import ArtifactError, StorageError
from make_us_rich.storage import check_storage, explain


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EACCES, "permission denied; give this user read and write"),
        (errno.EROFS, "mounted read-only"),
        (errno.EDQUOT, "quota"),
        (errno.EIO, "check it"),
        (errno.ENOTDIR, "a part of the path is a file"),
    ],
)
def test_errors_of_the_disk_name_the_file_and_the_remedy(number, line):
    explained = explain(OSError(number, os.strerror(number), "/data/klines.parquet"))
    assert explained.startswith("/data/klines.parquet: ")
    assert line in explained


@pytest.mark.parametrize(
    ("code", "line"), [("SlowDown", "the store is busy"), ("RequestTimeout", "the store answers RequestTimeout;")]
)
def test_errors_of_a_bucket_are_no_errors_of_the_disk(code, line):
    error = translate_boto_error(ClientError({"Error": {"Code": code}}, "PutObject"))
    assert explain(error).startswith(line)


def test_a_cause_is_found_below_other_errors_and_our_own_one_speaks_for_itself():
    outer = RuntimeError("node failed")
    outer.__cause__ = ValueError("while saving")
    outer.__cause__.__context__ = OSError(errno.ENOSPC, "full")
    assert explain(outer) == "the disk is full; free some space and run again"
    outer.__cause__.__context__.__cause__ = ArtifactError("btc_usdt: no model;\n run it")
    assert explain(outer) == "btc_usdt: no model; run it"


def test_a_stage_without_the_one_before_it_is_reported_so(tmp_path):
    features = PartitionedDataset(path=str(tmp_path), dataset="pandas.ParquetDataset")
    with pytest.raises(DatasetError) as caught:
        features.load()
    remedy = "run the pair again, with the stages before this one"
    assert explain(caught.value) == f"No partitions found in '{tmp_path}'; {remedy}"


def test_what_is_not_the_stores_is_not_explained():
    wrapped, circle = DatasetError("Failed"), ValueError("one")
    wrapped.__cause__ = ZeroDivisionError()
    circle.__cause__ = ValueError("two")
    circle.__cause__.__cause__ = circle
    suppressed = ValueError("wrong")
    suppressed.__context__, suppressed.__suppress_context__ = OSError(errno.ENOSPC, "full"), True
    assert [explain(error) for error in (wrapped, circle, suppressed)] == [None] * 3


def test_a_folder_that_is_there_or_can_be_made_can_be_used_and_a_file_in_the_way_is_named(tmp_path):
    check_storage(str(tmp_path))
    check_storage(str(tmp_path / "not" / "there" / "yet"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "data").touch()
    with pytest.raises(StorageError, match="data: a file is where a folder should be"):
        check_storage(str(tmp_path / "data" / "01_raw"))


def test_a_store_that_hangs_is_noticed(s3_server, silent):
    with pytest.raises(StorageError, match=r"stopped answering|does not answer"):
        check_storage("s3://bucket", s3_server.credentials(client_kwargs={"endpoint_url": silent}))


@pytest.mark.parametrize(
    ("flags", "remedy"),
    [(os.ST_RDONLY | os.ST_NOSUID, "mount it writable"), (0, "give this user read and write access")],
)
def test_a_folder_that_cannot_be_written_names_its_cause(monkeypatch, tmp_path, flags, remedy):
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((0, 0, 0, 0, 0, 0, 0, 0, flags, 255)))

    with pytest.raises(StorageError, match=remedy):
        check_storage(str(tmp_path / "data"))
