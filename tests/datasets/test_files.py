"""What is saved is loaded again, from a folder and from a bucket."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest
from IPython.core.formatters import DisplayFormatter
from kedro.io import DataCatalog, DatasetError, Version
from kedro.validation.exceptions import DataValidationError

from make_us_rich.catalog import open_config
from make_us_rich.datasets.files import (
    BytesDataset,
    FigureDataset,
    JSONDataset,
    OptionalJSONDataset,
    OptionalKlinesDataset,
    OptionalParquetDataset,
    ParquetDataset,
    PickleDataset,
    TextDataset,
)
from make_us_rich.datasets.published import ChampionPointerDataset, PublishedModelDataset, VersionsDataset
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.klines import KLINE_DTYPES
from make_us_rich.storage import explain
from synthetic import REPO, simulated_klines

FRAME = pd.DataFrame({"close": [1.5, 2.5]}, index=pd.date_range("2025-01-01", periods=2, freq="h", name="timestamp"))
VERDICTS = pd.DataFrame(
    {
        "at": pd.to_datetime(["2025-01-01"], utc=True).as_unit("ms"),
        "folds_won": pd.array([None], "Int64"),
        "reason": ["no edge: ±"],
    }
)
FIGURE = {"data": [{"type": "scatter", "y": [2, 1]}], "layout": {"title": "loss"}}
SAMPLES = [
    (ParquetDataset, FRAME),
    (JSONDataset, {"rows": 3, "nested": {"é": [1, None]}}),
    (PickleDataset, {"scaler": (1, 2.5)}),
    (BytesDataset, b"\x08\x0a\x12\x07pytorch"),
    (FigureDataset, FIGURE),
    (TextDataset, "# BTC/USDT: ±3 %\n"),
    (OptionalJSONDataset, {"har": {"symmetry": 0.5}}),
    (OptionalParquetDataset, VERDICTS),
]
NAMES = [dataset.__name__ for dataset, _ in SAMPLES]
EARLY = "2025-01-01T00.00.00.000Z"


@pytest.mark.parametrize("version", [None, EARLY])
@pytest.mark.parametrize(("dataset", "data"), SAMPLES, ids=NAMES)
def test_what_was_saved_exists_and_is_loaded(store, dataset, data, version):
    saved = dataset(**store.args("thing"), version=version and Version(None, version))
    assert not saved.exists()
    saved.save(data)
    assert saved.exists()
    loaded = dataset(**store.args("thing"), version=version and Version(version, None)).load()
    assert loaded.equals(data) if isinstance(data, pd.DataFrame) else loaded == data


def test_a_notebook_draws_a_figure_and_plotly_takes_it(store):
    FigureDataset(**store.args("figure")).save(FIGURE)
    figure = FigureDataset(**store.args("figure")).load()
    shown, _ = DisplayFormatter().format(figure)
    assert shown["application/vnd.plotly.v1+json"] == FIGURE
    assert go.Figure(figure).data[0].y == figure.data[0].y == (2, 1)
    assert figure.to_plotly_json() == go.Figure(FIGURE).to_plotly_json()
    figure.update_layout(title_text="changed")
    shown = figure._repr_mimebundle_()["application/vnd.plotly.v1+json"]
    assert shown["layout"]["title"]["text"] == figure.layout.title.text == "changed"


@pytest.mark.parametrize("dataset", [dataset for dataset, _ in SAMPLES[:-2]], ids=NAMES[:-2])
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
        (OptionalParquetDataset, b"PAR1 cut off"),
        (OptionalParquetDataset, b""),
        (OptionalJSONDataset, b'{"har": '),
        (OptionalJSONDataset, b""),
        (TextDataset, b"\xff\xfe\x00"),
    ],
)
def test_a_damaged_file_is_named_with_the_remedy_and_not_taken_for_none(tmp_path, dataset, content):
    (tmp_path / "thing").write_bytes(content)
    with pytest.raises(DatasetError, match=r"thing: the file is damaged .*; delete it and run the pair again"):
        dataset(filepath=str(tmp_path / "thing")).load()


@pytest.mark.parametrize("dataset", [BytesDataset, PublishedModelDataset])
def test_secrets_are_not_described(dataset):
    pair = {"pair": "btc_usdt"} if dataset is PublishedModelDataset else {}
    described = str(dataset(filepath="s3://bucket/models", credentials={"key": "me", "secret": "hidden"}, **pair))
    assert "bucket/models" in described
    assert "hidden" not in described


OUTAGES = {
    "no bucket": "the bucket does not exist; create it",
    "down": "the store does not answer; start it or correct its address",
}


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize(
    "dataset",
    [OptionalParquetDataset, OptionalJSONDataset, OptionalKlinesDataset, PublishedModelDataset, VersionsDataset],
)
def test_a_store_that_fails_is_not_taken_for_nothing(s3_server, shared_bucket, dataset, outage):
    pair = {"pair": "btc_usdt"} if dataset is PublishedModelDataset else {}
    bucket = "no-such-bucket" if outage == "no bucket" else shared_bucket
    elsewhere = {"client_kwargs": {"endpoint_url": "http://127.0.0.1:9"}} if outage == "down" else {}
    thing = dataset(filepath=f"s3://{bucket}/thing", credentials=s3_server.credentials(**elsewhere), **pair)
    with pytest.raises(DatasetError, match=OUTAGES[outage]):
        thing.load()


def test_nothing_stored_yet_is_empty_and_an_empty_kline_frame_can_be_stored(store):
    assert OptionalParquetDataset(**store.args("verdicts.parquet")).load().shape == (0, 0)
    assert OptionalJSONDataset(**store.args("best_params.json")).load() == {}
    dataset = OptionalKlinesDataset(**store.args("klines.parquet"))
    klines = dataset.load()
    assert klines.empty
    assert {name: str(dtype) for name, dtype in klines.dtypes.items()} == KLINE_DTYPES
    dataset.save(klines)
    assert list(dataset.load().columns) == list(KLINE_DTYPES)


def klines_catalog(folder: Path) -> DataCatalog:
    """The catalog's entries of candles, all of them one file, which holds a frame without the columns of candles."""
    ParquetDataset(filepath=str(folder / "klines.parquet")).save(FRAME)
    entries = open_config("base", REPO)["catalog"]
    own = {"filepath": str(folder / "klines.parquet"), "credentials": {}}
    names = ("stored_klines", "raw_klines", "klines")
    return DataCatalog.from_config({name: entries[f"{{pair}}.{name}"] | own for name in names})


@pytest.mark.parametrize("name", ["stored_klines", "raw_klines", "klines"])
def test_a_frame_of_another_schema_is_no_klines(tmp_path, name):
    catalog = klines_catalog(tmp_path)
    with pytest.raises(DataValidationError) as failure:
        catalog.load(name)
    line = explain(failure.value)
    assert line.startswith(f"Validation failed for dataset '{name}' on load: column_in_dataframe — 11 cases")
    assert line.endswith("delete the file, and run the pair again")
    with pytest.raises(DataValidationError, match="column_in_dataframe"):
        catalog.save(name, FRAME)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda klines: klines.assign(high=0.0), "candles that the quality checks remove"),
        (lambda klines: klines.iloc[::-1], "open times that do not ascend"),
        (lambda klines: klines.iloc[[0, 0]], "timestamp: field_uniqueness"),
        (lambda klines: klines.astype({"trades": "float64"}), "trades: dtype"),
    ],
)
def test_clean_klines_are_usable_ascending_and_unique(tmp_path, damage, problem):
    catalog, klines = klines_catalog(tmp_path), simulated_klines(rows=48)
    klines.attrs = {"simulated": True}
    catalog.save("klines", klines)
    loaded = catalog.load("klines")
    pd.testing.assert_frame_equal(loaded, klines)
    assert loaded.attrs == klines.attrs
    with pytest.raises(DataValidationError, match=problem):
        catalog.save("klines", damage(klines))


def test_a_pointer_is_empty_until_one_is_stored_and_another_pairs_is_not_saved(store):
    dataset = ChampionPointerDataset(**store.args("c.json"), pair="btc_usdt")
    empty = ChampionPointer(pair="btc_usdt")
    assert dataset.load() == empty
    pointer = empty.promote(EARLY, datetime(2025, 1, 1, tzinfo=UTC), "first")
    dataset.save(pointer)
    assert dataset.load() == pointer
    assert "first" in str(dataset.preview())
    with pytest.raises(DatasetError, match=r"refused to save the champion pointer of eth_usdt"):
        dataset.save(ChampionPointer(pair="eth_usdt"))
