"""What is read from a catalog that a run could have written."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st

from interface import records
from make_us_rich.candles.times import datetimes
from make_us_rich.catalog import open_catalog
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.judgement import Judgement
from make_us_rich.evaluation.trials import verdict_rows
from synthetic import VERSION, judgement, lay_out, simulated_klines, store

LATER = "2025-01-02T00.05.00.000Z"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with one published model."""
    store(lay_out(tmp_path), VERSION)
    monkeypatch.chdir(tmp_path)
    records.catalog.cache_clear()
    st.cache_data.clear()
    yield tmp_path
    records.catalog.cache_clear()
    st.cache_data.clear()


def test_the_champion_is_the_pointers(project: Path) -> None:
    assert records.champion("btc_usdt").version == VERSION
    assert records.champion("eth_usdt").version is None


def test_what_no_run_has_written_is_none(project: Path) -> None:
    assert records.newest_run("btc_usdt") is None
    assert records.card("btc_usdt", VERSION) is None
    assert records.scores("btc_usdt", "").empty
    assert records.rulings("btc_usdt", "", frozenset()) == []


def test_the_newest_run_is_read(project: Path) -> None:
    open_catalog("local", project).save("btc_usdt.judgement", judgement("har"))
    found = records.newest_run("btc_usdt")
    assert found is not None
    assert found.choice == "har"


def test_a_damaged_record_is_named(project: Path) -> None:
    open_catalog("local", project).save("btc_usdt.judgement", {"pair": "btc_usdt"})
    with pytest.raises(ArtifactError, match=r"btc_usdt\.judgement: written by another release; run the pair again"):
        records.newest_run("btc_usdt")


def test_older_candles_end_where_the_others_begin(project: Path) -> None:
    klines = simulated_klines()
    open_catalog("local", project).save("btc_usdt.klines", klines)
    before = datetimes(klines["timestamp"])[100]
    found = records.older_candles("btc_usdt", 2, before)
    assert (found.timestamp[0], found.timestamp[-1]) == (before - timedelta(days=2), before - timedelta(hours=1))
    assert found.close[-1] == klines["close"].iloc[99]


def test_without_stored_candles_there_are_none(project: Path) -> None:
    assert records.older_candles("btc_usdt", 2, datetime(2025, 1, 1, tzinfo=UTC)).timestamp == []


def logged(*, publish: bool = True) -> pd.DataFrame:
    made = Judgement.model_validate(judgement("har", publish=publish))
    return verdict_rows(made, {"har": "0123"})


def test_a_verdict_that_became_a_promotion_was_published() -> None:
    (ruling,) = records.rule(logged(), {VERSION})
    assert (ruling.published, ruling.architecture, ruling.skill, ruling.folds_won) == (True, "har", 0.03, 8)


def test_a_verdict_whose_run_was_killed_was_not_published() -> None:
    (ruling,) = records.rule(logged(), {LATER})
    assert not ruling.published


def test_a_refusal_tells_why() -> None:
    (ruling,) = records.rule(logged(publish=False), {VERSION})
    assert (ruling.published, ruling.reason) == (False, "refused: no luck")


def test_what_could_not_be_judged_has_no_figures() -> None:
    frame = logged().assign(skill=float("nan"), p=float("nan"), folds_won=pd.NA, folds=pd.NA)
    (ruling,) = records.rule(frame, ())
    assert (ruling.skill, ruling.p, ruling.folds_won, ruling.folds) == (None, None, None, None)


def test_the_newest_verdict_comes_first() -> None:
    both = pd.concat([logged(), logged().assign(version=LATER)], ignore_index=True)
    assert [each.version for each in records.rule(both, ())] == [LATER, VERSION]
