"""Back up, wipe, restore: the same forecasts, from a folder, from a bucket, and from one to the other."""

import shutil
import tarfile
from pathlib import Path

import pytest
import yaml

from conftest import S3Server
from make_us_rich.backups import back_up, restore
from make_us_rich.catalog import load_champion, open_catalog
from make_us_rich.domain.errors import LockedError, ParameterError
from make_us_rich.domain.forecast import Forecast
from make_us_rich.locks import pair_lock
from synthetic import VERSION, lay_out, simulated_klines, store

LATER = "2025-01-01T01.05.00.000Z"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two published versions, as the working directory."""
    folder = lay_out(tmp_path / "project")
    store(folder, VERSION)
    store(folder, LATER)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    return folder


@pytest.fixture
def in_bucket(project: Path, s3_server: S3Server, bucket: str) -> str:
    """An environment of the project whose store is a bucket."""
    (project / "conf" / "bucket").mkdir()
    for name, content in {
        "globals.yml": {"root": f"s3://{bucket}"},
        "credentials.yml": {"storage": s3_server.credentials(), "exchange": {}},
    }.items():
        (project / "conf" / "bucket" / name).write_text(yaml.safe_dump(content))
    return "bucket"


def forecast(env: str | None = None) -> Forecast:
    return load_champion(open_catalog(env), "btc_usdt").forecast(simulated_klines())


def test_a_folder_that_was_wiped_serves_the_same_forecasts(project: Path, tmp_path: Path) -> None:
    before = forecast()
    told = back_up(tmp_path / "store.tar.gz")
    shutil.rmtree(project / "data")

    restore(tmp_path / "store.tar.gz")

    assert forecast() == before
    assert before.version == LATER
    assert "files of" in told


def test_a_store_moves_into_a_bucket_and_a_bucket_that_was_wiped_serves_the_same(
    project: Path, in_bucket: str, tmp_path: Path, s3_server: S3Server, bucket: str
) -> None:
    before = forecast()
    back_up(tmp_path / "folder.tar.gz")
    restore(tmp_path / "folder.tar.gz", in_bucket)
    assert forecast(in_bucket) == before

    back_up(tmp_path / "bucket.tar.gz", in_bucket)
    s3_server.empty(bucket)
    restore(tmp_path / "bucket.tar.gz", in_bucket)

    assert forecast(in_bucket) == before


def test_pointers_are_first_in_a_backup_and_locks_are_not_in_it(project: Path, tmp_path: Path) -> None:
    with pair_lock(str(project / "data"), "btc_usdt"):
        back_up(tmp_path / "store.tar.gz")

    with tarfile.open(tmp_path / "store.tar.gz") as archive:
        names = archive.getnames()

    assert names[0] == "06_models/btc_usdt/champion.json"
    assert sum(name.endswith("champion.json") for name in names) == 1
    assert not any(".locks" in name for name in names)


def test_a_restore_waits_for_no_run_and_changes_nothing_beside_one(project: Path, tmp_path: Path) -> None:
    back_up(tmp_path / "store.tar.gz")
    store(project, "2025-01-01T02.05.00.000Z")
    before = forecast()

    with pair_lock(str(project / "data"), "btc_usdt"), pytest.raises(LockedError, match="btc_usdt: another run"):
        restore(tmp_path / "store.tar.gz")

    assert forecast() == before


def test_a_file_that_is_no_backup_is_refused(project: Path, tmp_path: Path) -> None:
    (tmp_path / "store.tar.gz").write_bytes(b"not a tar file")

    with pytest.raises(ParameterError, match="it is no whole backup"):
        restore(tmp_path / "store.tar.gz")


def test_a_backup_that_was_cut_short_changes_nothing(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "store.tar.gz"
    back_up(file)
    file.write_bytes(file.read_bytes()[:-2000])
    before = forecast()

    with pytest.raises(ParameterError, match="it is no whole backup"):
        restore(file)

    assert forecast() == before


def test_a_name_that_leads_out_of_the_store_is_refused(project: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "store.tar.gz", "w:gz") as archive:
        archive.add(project / "pyproject.toml", "06_models/../../outside.toml")

    with pytest.raises(ParameterError, match="is no file of a store"):
        restore(tmp_path / "store.tar.gz")


def test_an_empty_store_is_nothing_to_back_up(project: Path, tmp_path: Path) -> None:
    shutil.rmtree(project / "data")

    with pytest.raises(ParameterError, match="there is nothing to back up; look at --env"):
        back_up(tmp_path / "store.tar.gz")
    assert not list(tmp_path.glob("*.tar.gz"))


def test_a_folder_for_the_backup_that_is_not_there_is_named(project: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"store\.tar\.gz: No such file or directory; name another file"):
        back_up(tmp_path / "not" / "there" / "store.tar.gz")
