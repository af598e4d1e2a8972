"""The model that is served, as a run sees it; versions made without training, and those that are deleted."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kedro.io import DatasetError, Version

from make_us_rich.datasets import atomic
from make_us_rich.datasets import published as module
from make_us_rich.datasets.atomic import write_whole
from make_us_rich.datasets.files import BytesDataset, JSONDataset
from make_us_rich.datasets.published import (
    ChampionPointerDataset,
    PublicationDataset,
    PublishedModelDataset,
    VersionsDataset,
)
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.manifest import ARTIFACTS, Publication, Published
from make_us_rich.repository import ModelRepository
from synthetic import VERSION, lay_out, published_version

FILES = dict(zip(ARTIFACTS, ("model.onnx", "baseline.onnx", "past_forecasts.npz", "scenario_ranks.npz"), strict=True))
SECOND = "2025-01-02T00.05.00.000Z"


def promote(store, *versions: str) -> None:
    pointer = ChampionPointer(pair="btc_usdt")
    for version in versions:
        pointer = pointer.promote(version, datetime(2025, 1, 1, tzinfo=UTC), "better")
    ChampionPointerDataset(**store.args("btc_usdt/champion.json"), pair="btc_usdt").save(pointer)


def publish(store, version: str) -> None:
    made = published_version()
    record = made.manifest.model_copy(update={"version": version}).model_dump(mode="json")
    for artifact, name in FILES.items():
        dataset = BytesDataset(**store.args(f"btc_usdt/{name}"), version=Version(None, version))
        dataset.save(getattr(made, artifact))
    JSONDataset(**store.args("btc_usdt/manifest.json"), version=Version(None, version)).save(record)


def served(store) -> PublishedModelDataset:
    return PublishedModelDataset(**store.args("btc_usdt"), pair="btc_usdt")


def test_the_version_that_the_pointer_names_last_is_served_with_its_graph_at_once(store):
    reader = served(store)
    assert not reader.exists()
    for version in (VERSION, SECOND):
        publish(store, version)
    assert reader.load() is None
    assert json.loads(reader.preview()) is None
    promote(store, SECOND, VERSION)
    model = reader.load()
    assert model.manifest.version == json.loads(reader.preview())["version"] == VERSION
    for artifact in FILES:
        assert getattr(model, artifact) == getattr(published_version(), artifact)


def of_other_features() -> bytes:
    return published_version().manifest.model_copy(update={"columns": ("of_yesterday",)}).model_dump_json().encode()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (None, b"", "manifest.json of the champion is not stored; train the pair again"),
        ("model.onnx", b"junk", "the ONNX model: its checksum is not the one in its manifest"),
        ("baseline.onnx", b"junk", "the baseline's ONNX model: its checksum is not the one in its manifest"),
        ("past_forecasts.npz", b"junk", "its past forecasts: its checksum is not the one in its manifest"),
        ("scenario_ranks.npz", b"junk", "the ranks of its scenarios: its checksum is not the one in its manifest"),
        ("model.onnx", b"", "its checksum is not the one in its manifest"),
        ("manifest.json", b"{}", "not a valid manifest"),
        ("manifest.json", b'{"pair": ', "the file is damaged"),
        ("manifest.json", of_other_features, "this release does not compute its features"),
    ],
    ids=range(9),
)
def test_a_missing_or_damaged_model_is_reported_and_no_model(store, caplog, name, content, words):
    promote(store, VERSION)
    if name:
        publish(store, VERSION)
        dataset = BytesDataset(**store.args(f"btc_usdt/{name}/{VERSION}/{name}"))
        dataset._fs.pipe_file(str(dataset._filepath), content() if callable(content) else content)
    with caplog.at_level(logging.WARNING):
        assert served(store).load() is None
    for expected in (words, VERSION, "this run goes on as without a champion"):
        assert expected in caplog.text


def test_a_damaged_pointer_is_an_error_and_not_no_model(tmp_path):
    (tmp_path / "champion.json").write_text("[]")
    with pytest.raises(DatasetError, match=r"champion pointer is damaged .*; delete its champion.json"):
        PublishedModelDataset(filepath=tmp_path, pair="btc_usdt").load()


MODELS = "data/06_models/btc_usdt"


def made() -> Publication:
    """As a demotion makes it: the baseline's graph and the ranks, without past forecasts of its own."""
    made = published_version()
    checksums = {name: value for name, value in made.manifest.checksums.items() if name != "past_forecasts"}
    manifest = made.manifest.model_copy(update={"checksums": checksums})
    published = Published(manifest, made.onnx_model, made.onnx_model, scenario_ranks=made.scenario_ranks)
    return Publication(published, {"pair": "btc_usdt"}, "# btc_usdt\n")


@pytest.fixture
def dataset(tmp_path: Path) -> PublicationDataset:
    lay_out(tmp_path)
    return PublicationDataset(filepath=tmp_path / MODELS)


def test_what_is_saved_can_be_served(dataset: PublicationDataset, tmp_path: Path) -> None:
    dataset.save(())
    assert dataset.load() == ()
    assert not (tmp_path / MODELS).exists()
    dataset.save((made(),))
    assert dataset.load() == (VERSION,)
    served = ModelRepository.open("base", tmp_path).model("btc_usdt", VERSION)
    assert served.manifest == made().published.manifest
    assert served.past is None
    assert served.ranks.to_bytes() == made().published.scenario_ranks
    assert (tmp_path / MODELS / "card.md" / VERSION / "card.md").read_text() == "# btc_usdt\n"


@pytest.mark.parametrize("step", range(6))
def test_a_save_that_ends_half_way_leaves_no_version(
    dataset: PublicationDataset, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = iter(range(6))

    def write_or_die(*args: object) -> None:
        if next(steps) == step:
            raise KeyboardInterrupt
        write_whole(*args)

    monkeypatch.setattr(atomic, "write_whole", write_or_die)
    with pytest.raises(KeyboardInterrupt):
        dataset.save((made(),))
    assert dataset.load() == ()


V1, V2, V3 = (f"2025-01-0{day}T00.00.00.000Z" for day in (1, 2, 3))


@pytest.fixture
def stored(store):
    """Versions 1 and 2 whole, 3 without its manifest."""
    for version in (V2, V1, V3):
        for name in module.ARTIFACTS if version != V3 else module.ARTIFACTS[1:]:
            BytesDataset(**store.args(f"btc_usdt/{name}"), version=Version(version, version)).save(b"x")
    BytesDataset(**store.args("btc_usdt/champion.json")).save(b"x")
    return store


def there(store, name: str, version: str) -> bool:
    return BytesDataset(**store.args(f"btc_usdt/{name}"), version=Version(version, None)).exists()


def test_whole_versions_are_reported_oldest_first(stored):
    versions = VersionsDataset(**stored.args("btc_usdt"))
    assert versions.load() == (V1, V2)
    assert json.loads(versions.preview()) == [V1, V2]
    assert VersionsDataset(**stored.args("eth_usdt")).load() == ()


def test_versions_that_are_not_kept_or_are_half_written_are_deleted_and_nothing_else(stored):
    versions = VersionsDataset(**stored.args("btc_usdt"))
    for _ in range(2):
        versions.save({V2})
        assert versions.load() == (V2,)
    left = {version: [there(stored, name, version) for name in module.ARTIFACTS] for version in (V1, V2, V3)}
    assert [set(each) for each in left.values()] == [{False}, {True}, {False}]
    assert BytesDataset(**stored.args("btc_usdt/champion.json")).load() == b"x"


def test_the_manifest_goes_first(stored, monkeypatch):
    versions = VersionsDataset(**stored.args("btc_usdt"))
    deleted = []
    monkeypatch.setattr(versions._fs, "rm", lambda folder, recursive: deleted.append(folder.split("/")[-2:]))
    versions.save({V2, V3})
    files = ("manifest.json", *FILES.values(), "scaler.pkl", "card.json", "card.md")
    assert deleted == [[name, V1] for name in files]


def test_leftovers_are_no_versions(tmp_path: Path):
    (tmp_path / "manifest.json" / V1).mkdir(parents=True)
    (tmp_path / "manifest.json" / V1 / ".manifest.json.1.1.part").touch()
    assert VersionsDataset(filepath=str(tmp_path)).load() == ()
