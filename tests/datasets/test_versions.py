"""Which versions are stored, and deleting those that are not kept."""

from pathlib import Path

import pytest
from kedro.io import DatasetError, Version

from make_us_rich.datasets.onnx import OnnxDataset
from make_us_rich.datasets.versions import PUBLISHED, VersionsDataset

V1, V2, V3 = (f"2025-01-0{day}T00.00.00.000Z" for day in (1, 2, 3))


@pytest.fixture
def stored(store):
    """Versions 1 and 2 whole, 3 without its manifest."""
    for version in (V2, V1, V3):
        for name in PUBLISHED if version != V3 else PUBLISHED[1:]:
            OnnxDataset(**store.args(f"btc_usdt/{name}"), version=Version(version, version)).save(b"x")
    OnnxDataset(**store.args("btc_usdt/champion.json")).save(b"x")
    return store


def there(store, name: str, version: str) -> bool:
    return OnnxDataset(**store.args(f"btc_usdt/{name}"), version=Version(version, None)).exists()


def test_whole_versions_are_told_oldest_first(stored):
    assert VersionsDataset(**stored.args("btc_usdt")).load() == (V1, V2)


def test_nothing_stored_is_no_versions(store):
    assert VersionsDataset(**store.args("btc_usdt")).load() == ()


def test_versions_that_are_not_kept_are_deleted(stored):
    VersionsDataset(**stored.args("btc_usdt")).save({V2})
    assert VersionsDataset(**stored.args("btc_usdt")).load() == (V2,)
    assert [there(stored, name, V2) for name in PUBLISHED] == [True] * len(PUBLISHED)
    assert [there(stored, name, V1) for name in PUBLISHED] == [False] * len(PUBLISHED)


def test_half_written_versions_are_deleted(stored):
    VersionsDataset(**stored.args("btc_usdt")).save({V1, V2})
    assert not there(stored, "model.onnx", V3)


def test_other_files_are_left(stored):
    VersionsDataset(**stored.args("btc_usdt")).save([])
    assert OnnxDataset(**stored.args("btc_usdt/champion.json")).load() == b"x"


def test_deleting_again_changes_nothing(stored):
    versions = VersionsDataset(**stored.args("btc_usdt"))
    versions.save([V2])
    versions.save([V2])
    assert versions.load() == (V2,)


def test_the_manifest_goes_first(stored, monkeypatch):
    versions = VersionsDataset(**stored.args("btc_usdt"))
    deleted = []
    monkeypatch.setattr(versions._fs, "rm", lambda folder, recursive: deleted.append(folder.split("/")[-2:]))
    versions.save({V2, V3})
    files = ("manifest.json", "model.onnx", "baseline.onnx", "scaler.pkl", "card.json", "card.md")
    assert deleted == [[name, V1] for name in files]


def test_one_version_as_a_text_is_refused(stored):
    with pytest.raises(DatasetError, match="is one version; give a collection"):
        VersionsDataset(**stored.args("btc_usdt")).save(V1)
    assert there(stored, "manifest.json", V1)


def test_leftovers_are_no_versions(tmp_path: Path):
    (tmp_path / "manifest.json" / V1).mkdir(parents=True)
    (tmp_path / "manifest.json" / V1 / ".manifest.json.1.1.part").touch()
    assert VersionsDataset(filepath=str(tmp_path)).load() == ()


def test_a_missing_bucket_is_an_error(s3_server):
    dataset = VersionsDataset(filepath="s3://no-such-bucket/x", credentials=s3_server.credentials())
    with pytest.raises(DatasetError, match="the bucket does not exist"):
        dataset.load()
