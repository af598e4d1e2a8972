"""Records of the Kedro catalog: champion, card, newest run, scores, verdicts, candles; and MLflow's experiment.

Small records are read again every few seconds. Large ones are cached under the version that they belong to. Reads raise
``ArtifactError`` for a damaged record, and ``StorageError`` where the store failed.
"""

from datetime import datetime
from functools import cache

import httpx
import pandas as pd
import streamlit as st
from pydantic import ValidationError

from interface import session
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.evaluation import EvaluationReport
from make_us_rich.domain.live import LiveScores
from make_us_rich.domain.model_card import ModelCard
from make_us_rich.domain.scenarios import ScenarioRanks
from make_us_rich.repository import ModelRepository

_CANDLE_COLUMNS = ["timestamp", "open", "high", "low", "close", "volume"]


@cache
def repository() -> ModelRepository:
    """The repository of published models and its catalog."""
    return ModelRepository.open(session.settings().env)


@st.cache_data(ttl=10, max_entries=500, show_spinner=False)
def champion(pair: str) -> ChampionPointer:
    """The champion pointer of a pair."""
    return repository().pointer(pair)


@st.cache_data(ttl=10, max_entries=500, show_spinner=False)
def newest_run(pair: str) -> EvaluationReport | None:
    """What the gate decided in the newest run; None before the first run."""
    record = repository().find(f"{pair}.evaluation_report")
    try:
        return None if record is None else EvaluationReport.model_validate(record)
    except ValidationError as exc:
        raise ArtifactError(f"{pair}: another release wrote the newest evaluation", "run the pair again") from exc


@st.cache_data(ttl=10, max_entries=500, show_spinner=False)
def live_scores(pair: str) -> LiveScores | None:
    """Scores of the forecasts that were served; None before the first one was recorded."""
    return LiveScores.read(repository().find(f"{pair}.live_scores") or {}, pair)


@st.cache_data(max_entries=500, show_spinner=False)
def card(pair: str, version: str) -> ModelCard | None:
    """The model card of a version; None where it has none."""
    return repository().card(pair, version)


@st.cache_data(max_entries=100, show_spinner=False)
def scenario_ranks(pair: str, version: str) -> ScenarioRanks | None:
    """How past hours went on, and how wide their forecasts were; None for a version without them."""
    found = repository().find(f"{pair}.scenario_ranks", version)
    return None if found is None else ScenarioRanks.from_bytes(found, f"{pair} {version}")


@st.cache_data(max_entries=100, show_spinner=False)
def scores(pair: str, run: str) -> pd.DataFrame:  # noqa: ARG001
    """The scores of the newest run, with version ``run``; empty if there are none."""
    found = repository().find(f"{pair}.scores")
    return pd.DataFrame() if found is None else found


@st.cache_data(max_entries=100, show_spinner=False)
def verdicts(pair: str, run: str, promoted: frozenset[str]) -> pd.DataFrame:  # noqa: ARG001
    """The verdicts up to the run ``run``, newest first; empty if there are none.

    The rows are those of ``make_us_rich.backtest.multiple_testing.verdict_rows``. The column ``published`` is false for
    a run that was killed before it published: its version is not among ``promoted``, which ever were champion.
    """
    found = repository().find(f"{pair}.stored_verdicts")
    if found is None:
        return pd.DataFrame()
    published = found["chosen"] & found["publish"] & found["version"].isin(promoted)
    newest_first: pd.DataFrame = found.assign(published=published)[::-1]
    return newest_first


@st.cache_data(max_entries=200, show_spinner=False)
def older_candles(pair: str, days: int, before: datetime) -> pd.DataFrame | None:
    """Stored candles that opened within so many days before a moment; None where none are stored."""
    found = repository().find(f"{pair}.klines")
    if found is None:
        return None
    opened, end = found["timestamp"], pd.Timestamp(before)
    candles: pd.DataFrame = found.loc[(opened >= end - pd.Timedelta(days=days)) & (opened < end), _CANDLE_COLUMNS]
    return candles


# A failure is cached as well, so that an MLflow that hangs delays one page a minute.
@st.cache_data(ttl=60, max_entries=8, show_spinner=False)
def mlflow_experiment(url: str) -> str | None:
    """The id of the project's experiment in MLflow; None where MLflow does not answer."""
    path, query = f"{url}/api/2.0/mlflow/experiments/get-by-name", {"experiment_name": "make_us_rich"}
    try:
        response = httpx.get(path, params=query, timeout=2.0, trust_env=False).raise_for_status()
        return str(response.json()["experiment"]["experiment_id"])
    except (httpx.HTTPError, LookupError, ValueError):
        return None
