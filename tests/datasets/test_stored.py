"""What earlier runs have stored, or nothing yet: only a store that answers may say nothing."""

import pandas as pd
import pytest
from kedro.io import DatasetError, Version

from make_us_rich.datasets.stored import StoredJSONDataset, StoredTableDataset, TextDataset

VERDICTS = pd.DataFrame(
    {
        "at": pd.to_datetime(["2025-01-01"], utc=True).as_unit("ms"),
        "publish": [True],
        "folds_won": pd.array([None], "Int64"),
        "reason": ["no edge: ±"],
    }
)
V1 = "2025-01-01T00.00.00.000Z"


def test_no_table_yet_is_an_empty_frame(store):
    assert StoredTableDataset(**store.args("verdicts.parquet")).load().shape == (0, 0)


def test_a_table_is_loaded_as_it_was_saved(store):
    StoredTableDataset(**store.args("verdicts.parquet")).save(VERDICTS)
    pd.testing.assert_frame_equal(StoredTableDataset(**store.args("verdicts.parquet")).load(), VERDICTS)


def test_no_record_yet_is_an_empty_one(store):
    assert StoredJSONDataset(**store.args("tuned.json")).load() == {}


def test_a_record_is_loaded_as_it_was_saved(store):
    StoredJSONDataset(**store.args("tuned.json")).save({"har": {"symmetry": 0.5}})
    assert StoredJSONDataset(**store.args("tuned.json")).load() == {"har": {"symmetry": 0.5}}


def test_a_text_is_loaded_as_it_was_saved(store):
    TextDataset(**store.args("card.md")).save("# BTC/USDT: ±3 %\n")
    assert TextDataset(**store.args("card.md")).load() == "# BTC/USDT: ±3 %\n"


def test_a_texts_version_is_loaded_by_its_name(store):
    TextDataset(**store.args("card.md"), version=Version(None, V1)).save("# first")
    assert TextDataset(**store.args("card.md"), version=Version(V1, None)).load() == "# first"


def test_a_missing_text_is_an_error(store):
    with pytest.raises(DatasetError, match=r"no such file: '.*card\.md'"):
        TextDataset(**store.args("card.md")).load()


DAMAGED = [
    (StoredTableDataset, b"PAR1 cut off"),
    (StoredTableDataset, b""),
    (StoredJSONDataset, b'{"har": '),
    (StoredJSONDataset, b""),
    (TextDataset, b"\xff\xfe\x00"),
]


@pytest.mark.parametrize(("dataset", "content"), DAMAGED)
def test_a_damaged_file_is_named_with_the_remedy_and_not_taken_for_none(tmp_path, dataset, content):
    (tmp_path / "thing").write_bytes(content)
    with pytest.raises(DatasetError, match=r"thing: the file is damaged .*; delete it and run the pair again"):
        dataset(filepath=str(tmp_path / "thing")).load()


@pytest.mark.parametrize("dataset", [StoredTableDataset, StoredJSONDataset])
def test_a_missing_bucket_is_not_taken_for_nothing(s3_server, dataset):
    thing = dataset(filepath="s3://no-such-bucket/thing", credentials=s3_server.credentials())
    with pytest.raises(DatasetError, match="the bucket does not exist; create it"):
        thing.load()


@pytest.mark.parametrize("dataset", [StoredTableDataset, StoredJSONDataset])
def test_a_store_that_does_not_answer_is_not_taken_for_nothing(s3_server, shared_bucket, dataset):
    down = s3_server.credentials(client_kwargs={"endpoint_url": "http://127.0.0.1:9"})
    with pytest.raises(DatasetError, match="the store does not answer; start it or correct its address"):
        dataset(filepath=f"s3://{shared_bucket}/thing", credentials=down).load()
