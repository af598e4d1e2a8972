"""What is served for each pair, and why."""

import streamlit as st

from interface import forecasts, frame, session


def show() -> None:
    """Choose a pair, and see its champion."""
    frame.header("Models", "What is served for each pair, and what it did on hours that it had not seen.")
    names = [each.pair for each in forecasts.pairs().pairs]
    model = session.client().model(st.selectbox("Pair", names))
    st.metric("Architecture", model.architecture)
