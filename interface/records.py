"""What the catalog holds of a pair: the champion, its card, the newest run's judgement and scores, verdicts, candles.

Small records that say what is current are read anew every few seconds; everything large is kept under the version that
they name, so that a newer run is another entry and nothing old is shown. None of it belongs to a user.
"""

import os
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from threading import Lock
from typing import Any

import pandas as pd
import streamlit as st
from kedro.io import DataCatalog, DatasetError

from interface.api_answers import Candles
from interface.charts.verdicts import Ruling
from make_us_rich.candles.times import datetimes
from make_us_rich.catalog import load_pointer, open_catalog
from make_us_rich.domain.card import ModelCard
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import ArtifactError, StorageError
from make_us_rich.domain.judgement import Judgement
from make_us_rich.domain.live import LiveScores
from make_us_rich.storage import own_error

_COLUMNS = ("open", "high", "low", "close", "volume")
_ONE_AT_A_TIME = Lock()
"""Kedro's catalog makes datasets when they are first asked for, and sessions are threads."""


@cache
def catalog() -> DataCatalog:
    """The catalog that the pipelines write to."""
    return open_catalog(os.environ.get("MAKE_US_RICH_ENV"))


@st.cache_data(ttl=10, max_entries=500, show_spinner=False)
def champion(pair: str) -> ChampionPointer:
    """Who is served, and who was before.

    Raises:
        ArtifactError: The pointer is damaged.
        StorageError: The store failed.
    """
    with _ONE_AT_A_TIME:
        return load_pointer(catalog(), pair)


@st.cache_data(ttl=10, max_entries=500, show_spinner=False)
def newest_run(pair: str) -> Judgement | None:
    """What the gate found in the newest run; None before the first one.

    Raises:
        ArtifactError: It is damaged.
        StorageError: The store failed.
    """
    found = load(f"{pair}.judgement")
    return None if found is None else _valid(Judgement, found, f"{pair}.judgement")


@st.cache_data(ttl=10, max_entries=500, show_spinner=False)
def live(pair: str) -> LiveScores | None:
    """How the forecasts that were served have done; None before the first was recorded.

    Raises:
        ArtifactError: The scores are damaged.
        StorageError: The store failed.
    """
    return LiveScores.read(load(f"{pair}.live_scores") or {}, pair)


@st.cache_data(max_entries=500, show_spinner=False)
def card(pair: str, version: str) -> ModelCard | None:
    """The card of a version; None where it has none.

    Raises:
        ArtifactError: It is damaged.
        StorageError: The store failed.
    """
    found = load(f"{pair}.card", version)
    return None if found is None else _valid(ModelCard, found, f"{pair} {version}")


@st.cache_data(max_entries=100, show_spinner=False)
def scores(pair: str, run: str) -> pd.DataFrame:  # noqa: ARG001
    """The scores of the newest run, which is ``run``; without rows where there are none."""
    found = load(f"{pair}.scores")
    return pd.DataFrame() if found is None else found


@st.cache_data(max_entries=100, show_spinner=False)
def rulings(pair: str, run: str, champions: frozenset[str]) -> list[Ruling]:  # noqa: ARG001
    """Every verdict up to the run ``run``, newest first; ``champions`` are the versions that were ever promoted."""
    found = load(f"{pair}.stored_verdicts")
    return [] if found is None else list(rule(found, champions))


@st.cache_data(max_entries=200, show_spinner=False)
def older_candles(pair: str, days: int, before: datetime) -> Candles:
    """Candles of so many days before a moment, as the runs have stored them; none where there are none.

    Args:
        pair: Name such as ``btc_usdt``.
        days: Before ``before``.
        before: Open time of the first candle that is known from elsewhere, UTC.
    """
    found = load(f"{pair}.klines")
    if found is None:
        return _columns(pd.DataFrame({name: [] for name in ("timestamp", *_COLUMNS)}))
    opened, end = found["timestamp"], pd.Timestamp(before)
    return _columns(found[(opened >= end - pd.Timedelta(days=days)) & (opened < end)])


def rule(verdicts: pd.DataFrame, champions: Iterable[str]) -> Iterable[Ruling]:
    """The verdict log as records, newest first.

    Args:
        verdicts: See ``make_us_rich.evaluation.trials.verdict_rows``.
        champions: A verdict to publish whose run was killed before it could is no promotion.
    """
    promoted = set(champions)
    for row in reversed(verdicts.to_dict("records")):
        known = {name: None if pd.isna(row[name]) else row[name] for name in ("skill", "p", "folds_won", "folds")}
        yield Ruling(
            at=row["at"].to_pydatetime(),
            version=row["version"],
            architecture=row["architecture"],
            published=bool(row["chosen"] and row["publish"] and row["version"] in promoted),
            reason=row["reason"],
            **known,
        )


def load(name: str, version: str | None = None) -> Any:
    """A dataset; None where it is not stored.

    Raises:
        ArtifactError: It is damaged.
        StorageError: The store failed.
    """
    try:
        with _ONE_AT_A_TIME:
            return catalog().load(name, version=version)
    except DatasetError as exc:
        own = own_error(exc)
        if own is None and _absent(exc):
            return None
        kind = StorageError if isinstance(own, StorageError) else ArtifactError
        raise kind(str(own or f"{name}: it cannot be read; run the pair again")) from exc


def _absent(exc: DatasetError) -> bool:
    link: BaseException | None = exc
    while link is not None and not isinstance(link, FileNotFoundError):
        link = link.__cause__
    return link is not None


def _valid(kind: Any, found: Any, name: str) -> Any:
    try:
        return kind.model_validate(found)
    except ValueError as exc:
        raise ArtifactError(f"{name}: written by another release; run the pair again") from exc


def _columns(frame: pd.DataFrame) -> Candles:
    times = list(datetimes(frame["timestamp"])) if len(frame) else []
    return Candles(timestamp=times, **{name: frame[name].to_list() for name in _COLUMNS})
