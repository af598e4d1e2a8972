"""The live record: rows are added once, outcomes filled in once, and it does not grow for ever."""

import numpy as np
import pandas as pd
import pytest

from live_records import HOUR, START, made_forecast, made_record, walked_klines
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.live.record import BASELINE, DTYPES, QUANTILES, append, fill_outcomes, keep_newest, rows_of, typed

KLINES = walked_klines(100)


def test_a_forecast_is_a_row_a_horizon() -> None:
    rows = rows_of(made_forecast(), "abc")

    assert {name: str(kind) for name, kind in rows.dtypes.items()} == DTYPES
    assert rows["horizon"].tolist() == list(range(1, HORIZON + 1))
    assert rows["closes_at"].iloc[-1] == pd.Timestamp(START + 24 * HOUR)
    assert rows[list(QUANTILES)].to_numpy().tolist() == [list(row) for row in made_forecast().quantiles]
    assert rows["outcome"].isna().all()


def test_a_version_without_a_baseline_leaves_its_columns_empty() -> None:
    assert rows_of(made_forecast(baseline=None), "abc")[list(BASELINE)].isna().all(axis=None)


def test_a_second_forecast_of_the_same_moment_changes_nothing() -> None:
    first = append(pd.DataFrame(), rows_of(made_forecast(), "abc"))

    assert append(first, rows_of(made_forecast(scale=2), "other")).equals(first)
    assert append(first, None).equals(first)


def test_another_hour_is_added_at_the_end() -> None:
    first = append(pd.DataFrame(), rows_of(made_forecast(), "abc"))
    both = append(first, rows_of(made_forecast(START + HOUR), "abc"))

    assert both.head(HORIZON).equals(first)
    assert not both.duplicated(["issued_at", "horizon"]).any()
    assert len(both) == 2 * HORIZON


def test_an_outcome_is_the_close_of_the_candle_that_closes_then() -> None:
    record = fill_outcomes(rows_of(made_forecast(), "abc"), KLINES.head(6))

    assert record["outcome"].head(5).tolist() == KLINES["close"].iloc[1:6].tolist()
    assert record["state"].tolist() == ["came"] * 5 + ["waiting"] * 19


def test_a_candle_that_never_came_leaves_the_outcome_empty_with_a_mark() -> None:
    torn = KLINES.drop(index=[3])
    record = fill_outcomes(rows_of(made_forecast(), "abc"), torn)

    assert record["state"].tolist() == ["came", "came", "gap", *["came"] * 21]
    assert np.flatnonzero(record["outcome"].isna()).tolist() == [2]


def test_a_gap_that_the_exchange_fills_becomes_an_outcome() -> None:
    torn = fill_outcomes(rows_of(made_forecast(), "abc"), KLINES.drop(index=[3]))

    assert fill_outcomes(torn, KLINES)["state"].tolist() == ["came"] * 24


def test_an_outcome_that_is_there_is_never_changed() -> None:
    record = fill_outcomes(rows_of(made_forecast(), "abc"), KLINES)

    assert fill_outcomes(record, KLINES.assign(close=1.0)).equals(record)


def test_a_record_that_is_kept_newest_does_not_grow() -> None:
    record = made_record(KLINES, 72)
    kept = keep_newest(record, START + 72 * HOUR, days=1)

    assert kept["issued_at"].min() == pd.Timestamp(START + 49 * HOUR)
    assert len(kept) == 23 * HORIZON


def test_nothing_is_filled_in_an_empty_record() -> None:
    empty = typed(pd.DataFrame())

    assert fill_outcomes(empty, KLINES).empty
    assert list(empty.columns) == list(DTYPES)


@pytest.mark.parametrize("engine", ["pyarrow"])
def test_a_record_survives_its_file(tmp_path, engine: str) -> None:
    record = made_record(KLINES, 30)
    record.to_parquet(tmp_path / "record.parquet", engine=engine)

    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "record.parquet"), record)
