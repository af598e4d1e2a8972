"""What the store's failures mean, and finding out whether it can be used."""

import errno
import os
import tempfile
from pathlib import Path

import pytest
from kedro.io import DatasetError
from kedro_datasets.partitions import PartitionedDataset

from make_us_rich.domain.errors import ArtifactError, StorageError
from make_us_rich.storage import check_storage, explain, naming


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EACCES, "permission denied; give this user read and write"),
        (errno.EROFS, "mounted read-only"),
        (errno.EDQUOT, "quota"),
        (errno.EIO, "check it"),
    ],
)
def test_errors_of_the_disk_name_the_file_and_the_remedy(number, line):
    explained = explain(OSError(number, os.strerror(number), "/data/klines.parquet"))
    assert explained.startswith("/data/klines.parquet: ")
    assert line in explained


def test_a_cause_is_found_below_other_errors():
    outer = RuntimeError("node failed")
    outer.__cause__ = ValueError("while saving")
    outer.__cause__.__context__ = OSError(errno.ENOSPC, "full")
    assert explain(outer) == "the disk is full; free some space and run again"


def test_our_own_error_speaks_for_itself():
    outer = OSError(errno.EIO, "I/O")
    outer.__cause__ = ArtifactError("btc_usdt: no model;\n run it")
    assert explain(outer) == "btc_usdt: no model; run it"


def test_a_stage_without_the_one_before_it_is_told_so(tmp_path):
    features = PartitionedDataset(path=str(tmp_path), dataset="pandas.ParquetDataset")
    with pytest.raises(DatasetError) as caught:
        features.load()
    assert (
        explain(caught.value)
        == f"No partitions found in '{tmp_path}'; run the pair again, with the stages before this one"
    )


def test_another_error_of_a_dataset_is_not_explained():
    assert explain(DatasetError("Failed while loading data")) is None


def test_a_suppressed_context_is_not_looked_at():
    outer = ValueError("wrong")
    outer.__context__ = OSError(errno.ENOSPC, "full")
    outer.__suppress_context__ = True
    assert explain(outer) is None


def test_other_errors_are_not_explained():
    assert explain(ZeroDivisionError("division by zero")) is None


def test_a_circle_of_causes_ends():
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert explain(one) is None


def test_errors_that_are_not_the_stores_pass():
    with pytest.raises(ZeroDivisionError), naming("here"):
        raise ZeroDivisionError


def test_a_folder_that_is_there_can_be_used(tmp_path):
    check_storage(str(tmp_path))


def test_a_folder_that_can_be_made_can_be_used(tmp_path):
    check_storage(str(tmp_path / "not" / "there" / "yet"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(StorageError, match="data: a file is where a folder should be"):
        check_storage(str(tmp_path / "data" / "01_raw"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can check for another user, who is forked off here")
def test_a_folder_of_another_user_is_named():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        pid = os.fork()
        if pid == 0:
            os._exit(_denied(folder))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _denied(folder: str) -> int:
    """Exit status of a process of nobody, since os.access asks for the real user."""
    os.setuid(65534)
    try:
        check_storage(folder)
    except StorageError as exc:
        return 0 if "permission denied; give this user" in str(exc) else 2
    return 3


def test_a_bucket_that_is_there_can_be_used(s3_server, shared_bucket):
    check_storage(f"s3://{shared_bucket}/data", s3_server.credentials())


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"secret": "wrong"}, "refuses the access key or its secret; correct the credentials"),
        ({"key": "wrong"}, "refuses the access key or its secret; correct the credentials"),
        ({"client_kwargs": {"endpoint_url": "http://127.0.0.1:9"}}, "does not answer; start it or correct"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_explained(s3_server, shared_bucket, change, line):
    with pytest.raises(StorageError, match=rf"s3://{shared_bucket}/data at http.*{line}") as caught:
        check_storage(f"s3://{shared_bucket}/data", s3_server.credentials(**change))
    assert s3_server.secret not in str(caught.value)


def test_a_missing_bucket_is_named(s3_server):
    with pytest.raises(StorageError, match=r"s3://no-such-bucket at .*: the bucket does not exist; create it"):
        check_storage("s3://no-such-bucket", s3_server.credentials())


def test_a_store_that_hangs_is_noticed(s3_server, silent):
    with pytest.raises(StorageError, match=r"stopped answering|does not answer"):
        check_storage("s3://bucket", s3_server.credentials(client_kwargs={"endpoint_url": silent}))
