"""The model that is served, as a run sees it."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kedro.io import DatasetError, Version

from make_us_rich.datasets.atomic import JSONDataset, WholeFile
from make_us_rich.datasets.champion import ChampionPointerDataset
from make_us_rich.datasets.onnx import OnnxDataset
from make_us_rich.datasets.served_model import ServedModelDataset
from make_us_rich.domain.champion import ChampionPointer
from synthetic import VERSION, baseline_beside, published

BESIDE, _ = baseline_beside()
SECOND = "2025-01-02T00.05.00.000Z"


def promote(store, *versions: str) -> None:
    pointer = ChampionPointer(pair="btc_usdt")
    for version in versions:
        pointer = pointer.promote(version, datetime(2025, 1, 1, tzinfo=UTC), "better")
    ChampionPointerDataset(**store.args("btc_usdt/champion.json"), pair="btc_usdt").save(pointer)


def publish(store, version: str) -> None:
    manifest, graph = published()
    record = manifest.model_copy(update={"version": version}).model_dump(mode="json")
    for name, model in {"model.onnx": graph, "baseline.onnx": BESIDE}.items():
        OnnxDataset(**store.args(f"btc_usdt/{name}"), version=Version(None, version)).save(model)
    JSONDataset(**store.args("btc_usdt/manifest.json"), version=Version(None, version)).save(record)


def served(store) -> ServedModelDataset:
    return ServedModelDataset(**store.args("btc_usdt"), pair="btc_usdt")


def damage(store, name: str, content: bytes) -> None:
    dataset: WholeFile = OnnxDataset(**store.args(f"btc_usdt/{name}/{VERSION}/{name}"))
    dataset._fs.pipe_file(str(dataset._filepath), content)


def test_nothing_published_is_no_model(store):
    assert served(store).load() is None
    assert not served(store).exists()


def test_the_version_that_the_pointer_names_last_is_served_with_its_graph(store):
    for version in (VERSION, SECOND):
        publish(store, version)
    promote(store, SECOND, VERSION)
    model = served(store).load()
    assert model.manifest.version == VERSION
    assert (model.onnx_model, model.baseline_onnx) == (published()[1], BESIDE)


def test_another_processs_promotion_is_seen_at_once(store):
    publish(store, VERSION)
    reader = served(store)
    assert reader.load() is None
    promote(store, VERSION)
    assert reader.load().manifest.version == VERSION


def test_artifacts_that_are_not_stored_are_told_and_no_model(store, caplog):
    promote(store, VERSION)
    with caplog.at_level(logging.WARNING):
        assert served(store).load() is None
    assert f"btc_usdt {VERSION}: it is served and its artifacts are not stored; train the pair again" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("model.onnx", b"junk", "the ONNX model: its checksum is not the one in its manifest"),
        ("baseline.onnx", b"junk", "the baseline's ONNX model: its checksum is not the one in its manifest"),
        ("model.onnx", b"", "the file is damaged"),
        ("manifest.json", b"{", "the file is damaged"),
        ("manifest.json", b"{}", "not a valid manifest"),
        ("manifest.json", b'{"contract": 99}', "made for contract 99"),
    ],
)
def test_a_damaged_model_is_told_and_no_model(store, caplog, name, content, words):
    publish(store, VERSION)
    promote(store, VERSION)
    damage(store, name, content)
    with caplog.at_level(logging.WARNING):
        assert served(store).load() is None
    assert words in caplog.text
    assert VERSION in caplog.text
    assert "this run takes it for no champion" in caplog.text


def test_a_damaged_pointer_is_an_error_and_not_no_model(tmp_path):
    (tmp_path / "champion.json").write_text("[]")
    with pytest.raises(DatasetError, match=r"champion pointer is damaged .*; delete its champion.json"):
        ServedModelDataset(filepath=tmp_path, pair="btc_usdt").load()


@pytest.mark.parametrize("store", ["folder"], indirect=True)
def test_a_model_that_cannot_be_read_is_an_error_and_not_no_model(store):
    publish(store, VERSION)
    promote(store, VERSION)
    file = Path(store.root) / "btc_usdt" / "model.onnx" / VERSION / "model.onnx"
    file.unlink()
    file.mkdir()
    with pytest.raises(DatasetError, match=r"model.onnx: a folder is where a file should be"):
        served(store).load()


def test_a_missing_bucket_is_an_error_and_not_no_model(s3_server):
    dataset = ServedModelDataset(
        filepath="s3://no-such-bucket/btc_usdt", pair="btc_usdt", credentials=s3_server.credentials()
    )
    with pytest.raises(DatasetError, match="the bucket does not exist; create it"):
        dataset.load()


def test_a_store_that_does_not_answer_is_an_error_and_not_no_model(s3_server, shared_bucket):
    down = s3_server.credentials(client_kwargs={"endpoint_url": "http://127.0.0.1:9"})
    dataset = ServedModelDataset(filepath=f"s3://{shared_bucket}/btc_usdt", pair="btc_usdt", credentials=down)
    with pytest.raises(DatasetError, match="the store does not answer; start it or correct its address"):
        dataset.load()


def test_it_cannot_be_saved(tmp_path):
    with pytest.raises(DatasetError, match="read only; save the champion pointer instead"):
        ServedModelDataset(filepath=tmp_path, pair="btc_usdt").save(object())


def test_secrets_are_not_described():
    described = str(ServedModelDataset(filepath="s3://b/x", pair="btc_usdt", credentials={"secret": "hidden"}))
    assert "btc_usdt" in described
    assert "hidden" not in described
