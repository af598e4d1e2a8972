"""What the user looks at: the same pair on every page, and after a reload."""

import streamlit as st

from interface.api_answers import Pairs

_KEPT = "kept_pair"
_WIDGET = "pair"


def pair(served: Pairs) -> str:
    """A pair, found by typing a part of its name."""
    names = [each.pair for each in served.pairs]
    if st.session_state.get(_WIDGET) not in names:
        asked = st.session_state.get(_KEPT) or st.query_params.get(_WIDGET, "")
        st.session_state[_WIDGET] = asked if asked in names else names[0]
    chosen: str = st.selectbox("Pair", names, key=_WIDGET, format_func=written)
    st.session_state[_KEPT] = chosen
    st.query_params[_WIDGET] = chosen
    return chosen


def written(name: str) -> str:
    """``BTC/USDT`` for ``btc_usdt``."""
    return name.replace("_", "/").upper()
