"""What is saved is loaded again, from a folder and from a bucket."""

import inspect
import json
from datetime import UTC, datetime

import pandas as pd
import pytest
from kedro.io import DatasetError, Version
from kedro.io.core import VersionNotFoundError

from make_us_rich.datasets.atomic import JSONDataset, ParquetDataset, PickleDataset
from make_us_rich.datasets.champion import ChampionPointerDataset
from make_us_rich.datasets.figure import FigureDataset
from make_us_rich.datasets.onnx import OnnxDataset
from make_us_rich.datasets.stored_klines import StoredKlinesDataset
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.klines import KLINE_DTYPES

FRAME = pd.DataFrame({"close": [1.5, 2.5]}, index=pd.date_range("2025-01-01", periods=2, freq="h", name="timestamp"))
FIGURE = {"data": [{"type": "scatter", "y": [2, 1]}], "layout": {"title": "loss"}}
SAMPLES = [
    (ParquetDataset, FRAME),
    (JSONDataset, {"rows": 3, "nested": {"é": [1, None]}}),
    (PickleDataset, {"scaler": (1, 2.5)}),
    (OnnxDataset, b"\x08\x0a\x12\x07pytorch"),
    (FigureDataset, FIGURE),
]
NAMES = [dataset.__name__ for dataset, _ in SAMPLES]
EARLY, LATE = "2025-01-01T00.00.00.000Z", "2025-01-02T00.00.00.000Z"


def same(left, right) -> bool:
    return left.equals(right) if isinstance(left, pd.DataFrame) else left == right


@pytest.mark.parametrize(("dataset", "data"), SAMPLES, ids=NAMES)
def test_what_was_saved_is_loaded(store, dataset, data):
    dataset(**store.args("thing")).save(data)
    assert same(dataset(**store.args("thing")).load(), data)


@pytest.mark.parametrize(("dataset", "data"), SAMPLES, ids=NAMES)
def test_a_version_is_loaded_by_its_name(store, dataset, data):
    dataset(**store.args("thing"), version=Version(None, EARLY)).save(data)
    loaded = dataset(**store.args("thing"), version=Version(EARLY, None)).load()
    assert same(loaded, data)


def test_the_latest_version_is_the_default(store):
    for version in (EARLY, LATE):
        JSONDataset(**store.args("m.json"), version=Version(None, version)).save(version)
    assert JSONDataset(**store.args("m.json"), version=Version(None, None)).load() == LATE


def test_a_version_is_never_overwritten(store):
    args = {**store.args("model.onnx"), "version": Version(None, EARLY)}
    OnnxDataset(**args).save(b"first")
    with pytest.raises(DatasetError, match=r"must not exist if versioning is enabled"):
        OnnxDataset(**args).save(b"second")
    assert OnnxDataset(**args).load() == b"first"


def test_no_version_at_all_is_an_error(store):
    with pytest.raises(VersionNotFoundError, match=r"Did not find any versions"):
        OnnxDataset(**store.args("model.onnx"), version=Version(None, None)).load()


@pytest.mark.parametrize(("dataset", "data"), SAMPLES, ids=NAMES)
def test_existence_is_known(store, dataset, data):
    thing = dataset(**store.args("thing"))
    assert not thing.exists()
    thing.save(data)
    assert thing.exists()


@pytest.mark.parametrize("dataset", [dataset for dataset, _ in SAMPLES], ids=NAMES)
def test_a_missing_file_is_named(store, dataset):
    with pytest.raises(DatasetError, match=r"no such file: '.*absent'"):
        dataset(**store.args("absent")).load()


@pytest.mark.parametrize(
    ("dataset", "content"),
    [
        (ParquetDataset, b"PAR1 cut off"),
        (JSONDataset, b'{"rows": '),
        (PickleDataset, b"\x80\x05\x95"),
        (PickleDataset, b"cmake_us_rich.models.har\nGone\n."),
        (PickleDataset, b"cmake_us_rich.gone\nGone\n."),
        (OnnxDataset, b""),
    ],
)
def test_a_damaged_file_is_named_with_the_remedy(tmp_path, dataset, content):
    (tmp_path / "thing").write_bytes(content)
    with pytest.raises(DatasetError, match=r"thing: the file is damaged .*; delete it and run the pair again"):
        dataset(filepath=str(tmp_path / "thing")).load()


@pytest.mark.parametrize("model", [b"", "text"])
def test_only_a_models_bytes_are_saved(tmp_path, model):
    with pytest.raises(DatasetError, match=r"save its serialised bytes"):
        OnnxDataset(filepath=str(tmp_path / "model.onnx")).save(model)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("figure", [{"layout": {}}, [1, 2], {"data": "no list"}])
def test_only_figures_are_saved(tmp_path, figure):
    with pytest.raises(DatasetError, match=r"a figure is a dictionary with its traces"):
        FigureDataset(filepath=str(tmp_path / "figure.json")).save(figure)


@pytest.mark.parametrize(
    ("dataset", "data", "kind"),
    [
        (ParquetDataset, FRAME, "TablePreview"),
        (JSONDataset, [1], "JSONPreview"),
        (FigureDataset, FIGURE, "PlotlyPreview"),
    ],
)
def test_kedro_viz_finds_the_kind_of_preview(store, dataset, data, kind):
    thing = dataset(**store.args("thing"))
    thing.save(data)
    annotation = inspect.signature(thing.preview).return_annotation
    assert getattr(annotation, "__name__", str(annotation)) == kind
    assert thing.preview()


def test_a_frames_preview_is_its_first_rows(store):
    thing = ParquetDataset(**store.args("thing"))
    thing.save(FRAME)
    assert thing.preview(nrows=1)["data"] == [[1.5]]


def test_secrets_are_not_described(tmp_path):
    described = str(OnnxDataset(filepath="s3://bucket/model.onnx", credentials={"key": "me", "secret": "hidden"}))
    assert "hidden" not in described


def test_no_klines_stored_yet_is_an_empty_kline_frame(store):
    klines = StoredKlinesDataset(**store.args("klines.parquet")).load()
    assert klines.empty
    assert {name: str(dtype) for name, dtype in klines.dtypes.items()} == KLINE_DTYPES


def test_an_empty_kline_frame_is_stored_and_loaded(store):
    dataset = StoredKlinesDataset(**store.args("klines.parquet"))
    dataset.save(dataset.load())
    assert list(dataset.load().columns) == list(KLINE_DTYPES)


def test_damaged_klines_are_not_taken_for_none(tmp_path):
    (tmp_path / "klines.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(DatasetError, match=r"damaged .*; delete it to fetch the candles again"):
        StoredKlinesDataset(filepath=str(tmp_path / "klines.parquet")).load()


def test_a_frame_of_another_schema_is_no_klines(tmp_path):
    ParquetDataset(filepath=str(tmp_path / "klines.parquet")).save(FRAME)
    with pytest.raises(DatasetError, match=r"not as the kline schema says: .*trades"):
        StoredKlinesDataset(filepath=str(tmp_path / "klines.parquet")).load()


def test_klines_in_a_missing_bucket_are_not_taken_for_none(s3_server):
    dataset = StoredKlinesDataset(filepath="s3://no-such-bucket/klines.parquet", credentials=s3_server.credentials())
    with pytest.raises(DatasetError, match=r"the bucket does not exist; create it"):
        dataset.load()


def test_no_pointer_stored_yet_is_an_empty_pointer(store):
    assert ChampionPointerDataset(**store.args("c.json"), pair="btc_usdt").load() == ChampionPointer(pair="btc_usdt")


def test_a_pointer_is_stored_and_loaded(store):
    dataset = ChampionPointerDataset(**store.args("c.json"), pair="btc_usdt")
    pointer = ChampionPointer(pair="btc_usdt").promote(EARLY, datetime(2025, 1, 1, tzinfo=UTC), "first")
    dataset.save(pointer)
    assert dataset.load() == pointer
    assert "first" in str(dataset.preview())


def test_another_pairs_pointer_is_not_saved(tmp_path):
    dataset = ChampionPointerDataset(filepath=str(tmp_path / "c.json"), pair="btc_usdt")
    with pytest.raises(DatasetError, match=r"refused to save the champion pointer of eth_usdt"):
        dataset.save(ChampionPointer(pair="eth_usdt"))


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"pair": "eth_usdt", "promotions": []})])
def test_a_damaged_pointer_is_an_error_and_not_an_empty_one(tmp_path, content):
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(DatasetError, match=r"c.json: the file is damaged|btc_usdt: the champion pointer"):
        ChampionPointerDataset(filepath=str(tmp_path / "c.json"), pair="btc_usdt").load()
