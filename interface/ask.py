"""The panel Ask of the page Forecast: how likely the price closes beyond a price, and is there before."""

import math
from datetime import datetime

import pandas as pd
import streamlit as st

from interface import error_views, forecasts, ui
from interface import formatting as fmt
from interface.charts.forecast import PriceLine
from interface.ui import Card
from make_us_rich.client import ApiError
from make_us_rich.client.answers import Probabilities
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.klines import HOUR


def show(pair: str, last_close: float, horizon: int) -> PriceLine | None:
    """The form, and the answer to what was asked last of this pair, whose line is returned; None without a question."""
    key, inputs = f"asked of {pair}", {f"price of {pair}": float(f"{1.01 * last_close:.5g}"), "hours": horizon}
    for name, value in inputs.items():  # The first forecast fills the form; later ones leave it alone.
        st.session_state[name] = st.session_state.get(name, value)
    with st.container(border=True, key="ask"):
        st.subheader("Ask", anchor=False)
        with st.form(f"question of {pair}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            price_name, hours_name = inputs
            price = price_input(f"Price, {fmt.quote(pair)}", price_name, last_close)
            hours = st.selectbox("Hours ahead", range(1, HORIZON + 1), key=hours_name)
            if st.form_submit_button("Ask", type="primary"):
                st.session_state[key] = (price, hours) if price else None
            if st.form_submit_button("Clear"):
                st.session_state[key] = None
        st.caption(
            "A click in the chart fills it in. It costs one call, and one with each new forecast until you clear it."
        )
        asked: tuple[float, int] | None = st.session_state.get(key)
        if asked is None:
            return None
        price, hours = asked
        try:
            params = {"price": price, "hours": hours}
            found = forecasts.answer(Probabilities, f"/probability/{pair}", [pair], params=params).probabilities[0]
        except ApiError as error:  # The forecast is of use without the answer.
            error_views.show_inline(error_views.of_error(error))
            return None
        at = f"{fmt.price(price)} {fmt.quote(pair)} at {found.closes_at:%H:%M} UTC, in {fmt.count(hours, 'hour')}"
        events = {
            "Closes above": (found.close_above, at),
            "Closes below": (found.close_below, at),
            "Touched before then": (found.touch, f"traded at {fmt.price(price)} {fmt.quote(pair)} at least once"),
        }
        ui.cards(Card(label, fmt.chance(said.probability), "", note) for label, (said, note) in events.items())
    return PriceLine("asked:", price, hours)


def fill_in(pair: str, chart: str, issued_at: datetime) -> None:
    """Take the price of a click in a chart, and its hour if it is within the forecast."""
    clicked = st.session_state[chart].click
    st.session_state[f"price of {pair}"] = float(f"{clicked['y']:.5g}")
    hours = round((pd.Timestamp(clicked["x"], tz="UTC") - pd.Timestamp(issued_at)) / pd.Timedelta(HOUR))
    if 1 <= hours <= HORIZON:
        st.session_state["hours"] = hours


def price_input(label: str, key: str, last_close: float, placeholder: str | None = None) -> float | None:
    """An input of a price in steps of about a per cent; empty and optional with a placeholder."""
    step = 10.0 ** math.floor(math.log10(last_close) - 1)
    return st.number_input(label, 0.0, None, None, step, "%g", key, placeholder=placeholder)
