"""Cached responses of the API: a page that stays open is charged one call for each pair and hour.

Every function raises an ``ApiError`` where the API does not answer, has no forecast, or refuses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np
import streamlit as st

from interface import session
from interface.catalog_reader import scenario_ranks
from make_us_rich.client import answers
from make_us_rich.client.record import PairRecord
from make_us_rich.client.schemas import Fan, Model, Pairs, PastForecasts, Prediction
from make_us_rich.domain import forecast as domain
from make_us_rich.domain.risk import Floats

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class CurrentForecast:
    """A forecast at this moment."""

    prediction: Prediction  # the response of the API when the forecast was new
    age: timedelta  # since the forecast was issued
    problem: str | None  # why the model or the candles are outdated; None where they are not

    @property
    def stale(self) -> bool:
        """Whether a newer candle should have arrived by now."""
        return self.age > domain.STALE_AFTER

    @property
    def file_stem(self) -> str:
        """Name of exported files without extension."""
        return f"{self.prediction.pair}-{self.prediction.forecast.issued_at:%Y-%m-%d-%H}00-utc"

    def volatility(self) -> domain.Volatility:
        """Of the next 24 hours, compared with the last year's forecasts; costs no call."""
        forecast, levels = self.prediction.forecast, tuple(self.prediction.forecast.levels)
        made = domain.Forecast(
            pair=self.prediction.pair,
            version=forecast.version,
            architecture=forecast.architecture,
            issued_at=forecast.issued_at,
            last_close=forecast.last_close,
            levels=levels,
            quantiles=tuple(map(tuple, forecast.quantiles)),
            return_levels=levels,
            returns={"close": np.log(np.asarray(forecast.quantiles) / forecast.last_close)},
            ranks=scenario_ranks(self.prediction.pair, forecast.version),
        )
        return made.volatility(domain.HORIZON)


@st.cache_data(ttl=5, max_entries=1, show_spinner=False)
def pairs() -> Pairs:
    """What is served for each pair; not counted, and requested at most every five seconds for all sessions together."""
    return session.client().pairs()


@st.cache_data(ttl=300, max_entries=500, show_spinner=False)
def record(pair: str) -> PairRecord:
    """What was forecast of a pair and what happened; not counted, and without a login."""
    return session.client().call("GET", f"/record/{pair}", PairRecord)


def current(pair: str) -> CurrentForecast:
    """The forecast of a pair; costs a call only where a newer forecast has been issued."""
    base, _, quote = pair.partition("_")
    content = {"params": {"currency": base, "compare": quote}}
    prediction, received = _fetch(Prediction, "/predict", [pair], content)
    status, age = pairs().of(pair), timedelta(seconds=prediction.age_seconds) + (datetime.now(UTC) - received)
    return CurrentForecast(prediction, age, status.problem if status else None)


def answer(schema: type[Answer], path: str, asked: Sequence[str], **content: Any) -> Answer:
    """What follows from the current forecasts of the pairs ``asked``, such as probabilities.

    Costs a call only where a pair has a newer forecast, or where nothing of the kind was asked before. Keywords are
    those of ``ApiClient.send``: with ``json`` it is a POST.
    """
    return _fetch(schema, path, asked, content)[0]


def high_low_fan(pair: str) -> Fan:
    """The ranges that all prices until each hour stay in, quantiles of lows and highs; costs two calls, as ``answer``.

    Below the median are the lows' quantiles, above it the highs'; the median is the last close.
    """
    sides = {}
    for target, levels in ("low", domain.QUANTILE_LEVELS[:3]), ("high", domain.QUANTILE_LEVELS[4:]):
        content = {"target": target, "level": levels}
        sides[target] = answer(answers.Quantiles, f"/quantiles/{pair}", [pair], params=content)
    low, high = sides["low"], sides["high"]
    rows = zip(low.quantiles, high.quantiles, strict=True)
    return Fan(
        closes_at=low.closes_at,
        levels=list(domain.QUANTILE_LEVELS),
        quantiles=[[*lows, low.last_close, *highs] for lows, highs in rows],
    )


def scenarios(pair: str) -> Floats:
    """Equally likely paths of close, highest high and lowest low, ``[scenario, target, horizon]``.

    Costs a call as ``answer``, and none for what is computed from them.
    """
    found = answer(answers.Scenarios, f"/scenarios/{pair}", [pair])
    return np.stack([found.close, found.high, found.low], axis=1)


def _fetch(schema: type[Answer], path: str, asked: Sequence[str], content: dict[str, Any]) -> tuple[Answer, datetime]:
    """An answer to the current forecasts and when it came; the user's calls are up to date afterwards."""
    found, before = [pairs().of(pair) for pair in asked], datetime.now(UTC)
    issues = [(status.version, status.issued_at) for status in found if status]
    # By user: nobody sees what another user has paid for. By version and time of issue: a new forecast is a new entry.
    response, received = _answer(session.user().name, issues, schema, path, content)
    if received >= before:
        session.state().user = session.user().after_a_call()
    return response, received


@st.cache_data(ttl=7200, max_entries=500, show_spinner=False)
def model(pair: str, version: str) -> Model:  # noqa: ARG001
    """The champion of a pair, whose version is known."""
    return session.client().call("GET", f"/models/{pair}", Model)


@st.cache_data(ttl=7200, max_entries=3000, show_spinner=False)
def _answer(user: str, issues: object, _schema: Any, path: str, content: dict[str, Any]) -> tuple[Any, datetime]:  # noqa: ARG001
    method = "POST" if "json" in content else "GET"
    return session.client().call(method, path, _schema, **content), datetime.now(UTC)


# Minutes only: the hourly job adds forecasts and outcomes some time after a candle has closed.
@st.cache_data(ttl=120, max_entries=500, show_spinner=False)
def past(pair: str, horizon: int, *issue: object) -> PastForecasts:  # noqa: ARG001
    """The past forecasts up to a current one, given by version and time of issue; not counted."""
    path = f"/forecasts/{pair}"
    return session.client().call("GET", path, PastForecasts, params={"horizon": horizon})
