"""The page Forecast: how far the price may move in the next hours, and how past forecasts did."""

import functools
from datetime import UTC, datetime, timedelta

import pandas as pd
import streamlit as st

from interface import ask, catalog_reader, error_views, forecast_cards, forecasts, layout, session, ui
from interface import formatting as fmt
from interface.charts import chart_data
from interface.charts.chart_data import NamedFan, Selection
from interface.charts.forecast import ForecastChart, PriceLine, forecast_figure
from interface.forecasts import CurrentForecast
from make_us_rich.client import ApiError, UnavailableError
from make_us_rich.client.schemas import Fan, Pairs, PastForecasts
from make_us_rich.domain.errors import ArtifactError, StorageError
from make_us_rich.domain.forecast import BASELINE, HORIZON

_REFRESH = timedelta(seconds=15)
_CHAMPION = "champion"
_HORIZONS = tuple(range(1, HORIZON + 1))
_DAYS = (1, 2, 5, 10, 30)
_API_DAYS = 5
_CLOSES, _HIGH_LOW = "closes", "highs-lows"
_RANGES = {_CLOSES: "Closes", _HIGH_LOW: "Highs and lows"}
_LAST = "last_forecast"
_PAST = {
    "recorded": "Past forecasts are shown as they were served at the time.",
    "backtest": "Past forecasts come from a backtest of the current model on out-of-sample candles;"
    " they were not served at the time.",
}


def show() -> None:
    """The selectors, and below them the forecast, which refreshes itself."""
    layout.header("Forecast", "How far the price may move, hour by hour, beside the baseline's forecast.")
    _refresh(_select(layout.served_pairs()))


def _select(served: Pairs) -> Selection:
    with st.container(horizontal=True, vertical_alignment="top", key="selectors"):
        pair = layout.pair_selector(served)
        status = served.of(pair)
        models = {_CHAMPION: f"Champion: {fmt.model_label(status.architecture or 'none yet') if status else ''}"}
        if status and status.architecture != BASELINE:
            models[BASELINE] = "Baseline"
        bound = layout.bind("model", list(models), _CHAMPION)
        model = st.selectbox("Model", list(models), format_func=models.__getitem__, **bound)
        bound = layout.bind("horizon", _HORIZONS, 1)
        horizon = st.selectbox("Horizon", _HORIZONS, format_func=lambda hours: fmt.count(hours, "hour"), **bound)
        # The API has the baseline's closes alone.
        ranges = [_CLOSES] if model == BASELINE else list(_RANGES)
        shown = st.selectbox(
            "Range of", ranges, format_func=_RANGES.__getitem__, **layout.bind("range", ranges, _CLOSES)
        )
        bound = layout.bind("days", _DAYS, _API_DAYS)
        days = st.segmented_control("Candles", _DAYS, required=True, format_func="{} d".format, **bound)
    return Selection(pair, model == BASELINE, horizon, days or _API_DAYS, shown == _HIGH_LOW)


@st.fragment(run_every=_REFRESH)
def _refresh(selection: Selection) -> None:
    with error_views.errors_shown(), st.container(key="forecast"):
        _show_forecast(selection)
    shown = session.state().shown_usage
    if shown is not None and shown != session.user():  # The fragment cannot draw into the sidebar.
        st.rerun()


def _show_forecast(selection: Selection) -> None:
    current, trouble = _current_or_last(selection.pair)
    forecast = current.prediction.forecast
    try:
        past = forecasts.past(selection.pair, selection.horizon, forecast.version, forecast.issued_at)
    except UnavailableError:  # The forecast is of use without them; its card says that there are none.
        past = None
    with st.container(key="forecast-notices"):
        if trouble:
            view = error_views.of_error(trouble)
            ui.notice(f"{view.title}: this is the last forecast that was received.", view.remedy)
        elif current.stale:
            stale = (
                f"The newest candle closed {fmt.duration(current.age)} ago: this forecast is older than it should be."
            )
            ui.notice(stale, fmt.sentence(current.problem or ""))
        candles = _candles(selection, current)
    forecast_cards.show_ranges(selection, current, past)
    chart = st.container(key="forecast-chart")
    line = ask.show(selection.pair, forecast.last_close, selection.horizon)
    with chart:
        _show_chart(selection, current, candles, past, line)
    forecast_cards.show_model(selection, current)
    ui.sentences(_explanations(selection, current, past))
    shown, _ = selection.fans(forecast)
    with st.container(horizontal=True, key="exports"):
        for label, content, name in (
            ("Forecast as CSV", chart_data.forecast_csv(current.prediction, shown), f"{shown.name}-forecast"),
            ("Candles as CSV", chart_data.candles_csv(candles), "candles"),
        ):
            file, icon = f"{current.file_stem}-{name}.csv", ":material/download:"
            st.download_button(label, content, file, "text/csv", key=label, on_click="ignore", icon=icon)


def _current_or_last(pair: str) -> tuple[CurrentForecast, UnavailableError | None]:
    """The current forecast; where the API has none, the last one that this session received, and the error."""
    try:
        current = forecasts.current(pair)
    except UnavailableError as error:
        last: tuple[CurrentForecast, datetime] | None = st.session_state.get(_LAST)
        if last is None or last[0].prediction.pair != pair:
            raise
        received, at = last
        return CurrentForecast(received.prediction, received.age + (datetime.now(UTC) - at), None), error
    st.session_state[_LAST] = (current, datetime.now(UTC))
    return current, None


def _candles(selection: Selection, current: CurrentForecast) -> pd.DataFrame:
    """The selected days of candles: the API has the last five, the catalog the earlier ones."""
    newest, older = current.prediction.data.to_frame().reset_index(), None
    if selection.days > _API_DAYS:
        try:
            older = catalog_reader.older_candles(selection.pair, selection.days, newest["timestamp"].iloc[0])
        except (ArtifactError, StorageError) as error:
            ui.notice("Only the last five days can be shown.", fmt.sentence(error.message))
    return chart_data.join_candles(older, newest, selection.days)


def _show_chart(
    selection: Selection,
    current: CurrentForecast,
    candles: pd.DataFrame,
    past: PastForecasts | None,
    line: PriceLine | None,
) -> None:
    pair, horizon, prediction = selection.pair, selection.horizon, current.prediction
    fan, compared = selection.fans(prediction.forecast)
    drawn = None
    ranges = _high_low_fan(pair) if selection.high_low else None
    if ranges is not None:
        fan, compared = NamedFan(f"{fan.name}, highs and lows", ranges, prediction.forecast.last_close), None
    elif past is not None and not selection.is_reference(prediction.forecast):
        drawn = chart_data.past_intervals(past, candles)
    lines = (line,) if line else ()
    chart = ForecastChart(pair, candles, fan, compared, drawn, horizon, prediction.simulated, lines)
    phone = "Mobi" in (st.context.headers.get("User-Agent") or "")  # There, a drag scrolls the page.
    figure = forecast_figure(chart, ui.palette(), drag=not phone)
    alt = f"Candles of {fmt.pair_label(pair)} and the forecast of the next {HORIZON} hours"
    fill_in = functools.partial(ask.fill_in, pair, "candles", prediction.forecast.issued_at)
    ui.plot(figure, "candles", current.file_stem, alt, fill_in)
    legend = f"Filled: the 50, 80 and 90{fmt.NBSP}% intervals of {fan.name}."
    if ranges is not None:
        legend += f" {chart_data.describe_high_low(fan, pair, horizon)} They cost two calls for each pair and hour."
    if compared:
        legend += f" Dashed: the ends of the 90{fmt.NBSP}% interval of {compared.name}."
    if drawn is not None and not drawn.empty:
        hours = fmt.count(horizon, "hour")
        legend += f" Behind the candles: the 80{fmt.NBSP}% interval forecast {hours} before; crosses are misses."
    st.caption(legend)


def _high_low_fan(pair: str) -> Fan | None:
    """None where the API refuses, for the closes are of use without it."""
    try:
        return forecasts.high_low_fan(pair)
    except ApiError as error:
        view = error_views.of_error(error)
        ui.notice(f"{view.title}: closes are shown instead of highs and lows.", view.remedy)
        return None


def _explanations(selection: Selection, current: CurrentForecast, past: PastForecasts | None) -> list[str]:
    forecast = current.prediction.forecast
    fan, _ = selection.fans(forecast)
    reference = selection.is_reference(forecast)
    sentences = [
        chart_data.describe_range(fan, selection.pair, selection.horizon, forecast.issued_at + current.age),
        fmt.describe_edge(forecast.edge.proven and not reference, selection.pair),
    ]
    if forecast.fallback:
        sentences.append(f"The baseline forecasts instead of the model: {fmt.sentence(forecast.fallback)}")
    if reference:
        sentences.append("Only the champion's past forecasts are recorded, so that none are drawn for the baseline.")
    elif past:
        sentences.append(_PAST[past.source])
    if forecast.baseline is None:
        sentences.append("No baseline is stored with this model; the next one brings one along.")
    return sentences
