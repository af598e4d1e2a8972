"""How far the price may move in the next hours, and how well that was forecast so far."""

from datetime import UTC, datetime, timedelta

import streamlit as st

from interface import (
    cards,
    choosing,
    export,
    forecasts,
    frame,
    markup,
    plot,
    records,
    scenes,
    session,
    states,
    theme,
    words,
)
from interface.api_answers import Candles, Pairs, PastForecasts
from interface.api_errors import ApiError, LimitedError, TooSlowError, UnavailableError, UnreachableError
from interface.app_pages import forecast_cards
from interface.charts.forecast import candles_with_fan
from interface.forecasts import Current
from interface.numbers import hours
from interface.scenes import Choice
from make_us_rich.domain.errors import ArtifactError, StorageError
from make_us_rich.domain.forecast import BASELINE, HORIZON

REFRESH = timedelta(seconds=15)
"""How often it is looked whether a candle has closed; that is not counted as a call."""

_DAYS = (1, 2, 5, 10, 30)
_FROM_API = 5
_CHART = "forecast-chart"
_LAST = "last_forecast"
_PASSING = (LimitedError, TooSlowError, UnavailableError, UnreachableError)


def show() -> None:
    """Choose what to look at, and see it, always as new as it can be."""
    frame.header("Forecast", "How far the price may move, hour by hour, with the naive forecast beside it.")
    served = forecasts.pairs()
    if served.pairs:
        _follow(_choose(served))
    else:
        states.show(states.NO_PAIRS)


@st.fragment(run_every=REFRESH)
def _follow(choice: Choice) -> None:
    with states.told():
        _draw(choice)
    if session.meter_is_old():  # The sidebar is not the fragment's to draw.
        st.rerun()


def _choose(served: Pairs) -> Choice:
    with st.container(horizontal=True, vertical_alignment="top", key="choosers"):
        pair = choosing.pair(served)
        known = served.of(pair)
        baseline = _choose_model(known.architecture if known else None)
        horizon = st.selectbox("Horizon", range(1, HORIZON + 1), key="horizon", format_func=hours)
        days = st.segmented_control("Candles", _DAYS, default=_FROM_API, required=True, key="days", format_func=_days)
    return Choice(pair, baseline, horizon, days or _FROM_API)


def _choose_model(champion: str | None) -> bool:
    """Whether the baseline is to be looked at: the API serves it beside the champion, and no other model."""
    names = {"champion": f"Champion: {words.member_names(champion or 'none yet')}"}
    if champion != BASELINE:
        names[BASELINE] = "Baseline"
    chosen: str = st.selectbox("Model", list(names), key="model", format_func=lambda name: names.get(name, name))
    return chosen == BASELINE


def _days(number: int) -> str:
    return f"{number} d"


def _draw(choice: Choice) -> None:
    current, trouble = _newest(choice.pair)
    past = _past(current, choice.horizon)
    _warn(current, trouble)
    forecast_cards.show_forecast(choice, current, past)
    candles = _candles(choice, current.prediction.data)
    _chart(choice, current, candles, past)
    forecast_cards.show_model(choice, current)
    _tell(choice, current, past)
    _offer(current, candles)


def _newest(pair: str) -> tuple[Current, ApiError | None]:
    """The forecast of now; where the API has none to give, the last one that it gave to this session, and why.

    Raises:
        ApiError: There is neither.
    """
    try:
        current = forecasts.current(pair)
    except _PASSING as error:
        kept = st.session_state.get(_LAST)
        if kept is None or kept[0].prediction.pair != pair:
            raise
        last, seen = kept
        return Current(last.prediction, last.age + (datetime.now(UTC) - seen), str(error)), error
    st.session_state[_LAST] = (current, datetime.now(UTC))
    return current, None


def _past(current: Current, horizon: int) -> PastForecasts | None:
    try:
        return forecasts.past(current, horizon)
    except _PASSING:
        # Without its record a forecast is still one; the card of the record says that there is none.
        return None


def _warn(current: Current, trouble: ApiError | None) -> None:
    if trouble:
        state = states.of_error(trouble)
        states.notice(f"{state.title}: this is the last forecast that was received.", state.remedy)
    elif current.stale:
        states.notice(words.staleness(current.age), current.problem or "A newer candle should be there by now.")


def _candles(choice: Choice, newest: Candles) -> Candles:
    """The candles that are shown: the API has five days, the catalog the ones before."""
    if choice.days <= _FROM_API:
        return scenes.join(_NO_CANDLES, newest, choice.days)
    try:
        older = records.older_candles(choice.pair, choice.days, newest.timestamp[0])
    except (ArtifactError, StorageError) as error:
        states.notice("Only the last five days can be shown.", words.capital(str(error)))
        older = _NO_CANDLES
    return scenes.join(older, newest, choice.days)


def _chart(choice: Choice, current: Current, candles: Candles, past: PastForecasts | None) -> None:
    scene = scenes.compose(choice, current.prediction, candles, past)
    figure = candles_with_fan(scene, theme.colours(), drag=not theme.is_phone())
    name = f"{choice.pair}-{current.prediction.forecast.issued_at:%Y-%m-%d-%H}00-utc"
    with st.container(key=_CHART):
        plot.show(figure, "candles", name, _alt(choice))
    horizon = scene.past.horizon if scene.past and scene.past.forecasts else None
    legend = words.legend(scene.fan[0], scene.compared and scene.compared[0], horizon)
    markup.show('<p class="mur-hint">{legend}</p>', legend=legend)


def _alt(choice: Choice) -> str:
    return f"Candles of {choosing.written(choice.pair)} and the forecast of the next {HORIZON} hours"


def _tell(choice: Choice, current: Current, past: PastForecasts | None) -> None:
    forecast, at = current.prediction.forecast, choice.horizon - 1
    fan, now = scenes.chosen_fan(choice, forecast), forecast.issued_at + current.age
    span = words.Span.of(fan.quantiles[at], fan.levels, forecast.last_close)
    told = [
        words.expected(span, choice.pair, choice.horizon, fan.closes_at[at], now),
        words.no_edge(forecast.edge.proven, choice.pair),
    ]
    if forecast.stand_in:
        told.append(words.stood_in(forecast.stand_in))
    if choice.baseline:
        told.append("Past forecasts are kept of the champion only, so none are drawn for the baseline.")
    elif past:
        told.append(words.where_past_comes_from(past.source))
    if forecast.baseline is None:
        told.append("This model was published without a baseline to draw beside it; the next one brings it along.")
    cards.sentences(told)


def _offer(current: Current, candles: Candles) -> None:
    prediction = current.prediction
    name = f"{prediction.pair}-{prediction.forecast.issued_at:%Y-%m-%d-%H}00-utc"
    with st.container(horizontal=True, key="exports"):
        _download("Forecast as CSV", export.forecast_csv(prediction), f"{name}-forecast.csv")
        _download("Candles as CSV", export.candles_csv(candles), f"{name}-candles.csv")


def _download(label: str, text: str, name: str) -> None:
    st.download_button(
        label, text, name, "text/csv", key=name.rsplit("-", 1)[-1], on_click="ignore", icon=":material/download:"
    )


_NO_CANDLES = Candles(timestamp=[], open=[], high=[], low=[], close=[], volume=[])
