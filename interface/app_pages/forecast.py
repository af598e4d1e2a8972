"""How far the price may move in the next hours."""

import streamlit as st

from interface import forecasts, frame, states


def show() -> None:
    """Choose a pair, and see its forecast."""
    frame.header("Forecast", "How far the price may move, hour by hour, with the naive forecast beside it.")
    names = [each.pair for each in forecasts.pairs().pairs]
    pair = st.selectbox("Pair", names, format_func=_written)
    current = forecasts.current(pair)
    if current.stale:
        states.notice("This forecast is old.", current.problem or "A newer candle should be there by now.")
    st.metric("Last close", f"{current.prediction.forecast.last_close:,.2f}")


def _written(pair: str) -> str:
    return pair.replace("_", "/").upper()
