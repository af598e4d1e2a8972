"""Forecasts, remembered: a page that stays open all day is charged one call for each pair and hour."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import streamlit as st

from interface import session
from interface.api_answers import ModelServed, Pairs, PairServed, PastForecasts, Prediction
from interface.api_client import ApiClient

STALE_AFTER = timedelta(minutes=62)
"""A newer candle should be there by then; the API says the same."""


@dataclass(frozen=True)
class _Issue:
    # By user: nobody is shown what another has paid for. By version and issue: a new forecast is another entry.
    user: str
    pair: str
    version: str | None
    issued_at: datetime | None


@dataclass(frozen=True)
class Remembered:
    """An answer and when it came, UTC."""

    prediction: Prediction
    asked_at: datetime


@dataclass(frozen=True)
class Current:
    """A forecast as it stands at this moment.

    Attributes:
        prediction: As the API answered when the forecast was new.
        age: Since it was issued.
        problem: Why the model or the candles are not the newest; none where they are.
    """

    prediction: Prediction
    age: timedelta
    problem: str | None

    @property
    def stale(self) -> bool:
        """A newer candle should be there by now."""
        return self.age > STALE_AFTER


def pairs() -> Pairs:
    """What is served for every pair; asked at most every five seconds by all sessions together, and not counted.

    Raises:
        ApiError: The API does not say.
    """
    found: Pairs = _pairs(session.client())
    return found


def current(pair: str) -> Current:
    """The forecast of a pair; a call is made, and counted, only where a newer one has been issued.

    Raises:
        ApiError: There is none, or the calls are used up.
    """
    served = pairs().of(pair) or PairServed(pair=pair, version=None, architecture=None, issued_at=None, problem=None)
    issue = _Issue(session.user().name, pair, served.version, served.issued_at)
    before = datetime.now(UTC)
    remembered = _predicted(session.client(), issue)
    if remembered.asked_at >= before:
        session.count_a_call()
    prediction, since = remembered.prediction, datetime.now(UTC) - remembered.asked_at
    return Current(prediction, timedelta(seconds=prediction.age_seconds) + since, served.problem)


def forget_pairs() -> None:
    """What is served has changed: ask again."""
    _pairs.clear()


def past(shown: Current, horizon: int) -> PastForecasts:
    """The record of a pair up to a forecast; not counted, the same for everybody.

    Raises:
        ApiError: There is none.
    """
    issue = shown.prediction
    found: PastForecasts = _past(
        session.client(), issue.pair, horizon, issue.forecast.version, issue.forecast.issued_at
    )
    return found


def model(pair: str, version: str) -> ModelServed:
    """The champion of a pair, of which this is the version.

    Raises:
        ApiError: The API does not say.
    """
    found: ModelServed = _model(session.client(), pair, version)
    return found


@st.cache_data(ttl=5, max_entries=1, show_spinner=False)
def _pairs(_client: ApiClient) -> Pairs:
    return _client.pairs()


@st.cache_data(ttl=7200, max_entries=1000, show_spinner=False)
def _predicted(_client: ApiClient, issue: _Issue) -> Remembered:
    return Remembered(_client.predict(issue.pair), datetime.now(UTC))


# Nothing in these depends on who asks: they are kept under what they say.
# For minutes only: the hourly job records a forecast and its outcome some time after the candle has closed.
@st.cache_data(ttl=120, max_entries=500, show_spinner=False)
def _past(_client: ApiClient, pair: str, horizon: int, *until: object) -> PastForecasts:  # noqa: ARG001
    return _client.past(pair, horizon)


@st.cache_data(ttl=7200, max_entries=500, show_spinner=False)
def _model(_client: ApiClient, pair: str, version: str) -> ModelServed:  # noqa: ARG001
    return _client.model(pair)
