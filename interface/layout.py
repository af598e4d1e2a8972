"""What surrounds every page: header, sidebar with the quota bar, pair selector, and the page's address.

The selection is in the address: links open it, and Back and Forward in the browser change it.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NoReturn

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import StreamlitPage

from interface import error_views, forecasts, session, ui
from interface.charts.forecast import SIMULATED
from interface.formatting import count, pair_label
from make_us_rich.client import UnknownPairError
from make_us_rich.client.schemas import Pairs, Usage

_FLASH, _SEEN, _FIELDS = "flash", "seen_address", "address_fields"
_WHO = '<p class="mur-who"><strong>{name}</strong><span>{roles}</span></p>'
_HEADER = '<div class="mur-header"><h1>{title}</h1><p>{about}</p></div>'


def header(title: str, about: str) -> None:
    """The title of a page, a line about it, and the flash message of the last change."""
    ui.show(_HEADER, title=title, about=about)
    if flash := st.session_state.pop(_FLASH, None):
        ui.notice(flash, tone="calm")


def sidebar(user: Usage, pages: Sequence[StreamlitPage]) -> DeltaGenerator:
    """Links to the pages, the user, the quota bar and the log-out; returns the place of the quota bar."""
    pair = st.session_state.get("pair") or st.query_params.get("pair")
    with st.sidebar:
        for page in pages:
            st.page_link(page, query_params={"pair": pair} if pair else {})
        with st.container(key="who"):
            ui.show(_WHO, name=user.name, roles="Admin" if user.is_admin else "Member")
            place = st.empty()
            with place:
                quota_bar(user)
            if st.button("Log out", key="log-out", width="stretch"):
                with error_views.errors_shown():
                    session.log_out()
                st.rerun()
    return place


def quota_bar(user: Usage) -> None:
    """Used and remaining calls of the month."""
    share = min(1.0, user.used / user.limit) if user.limit else 1.0
    text = f"{user.used:,} of {count(user.limit, 'call')}, {user.remaining:,} left, renewed on {user.reset_at:%d %B %Y}"
    st.progress(share, text)


def served_pairs() -> Pairs:
    """What is served for each pair, marked if the market is simulated; the page ends where there is none."""
    served = forecasts.pairs()
    if not served.pairs:
        error_views.show(error_views.NO_PAIRS)
        st.stop()
    if any(each.simulated for each in served.pairs):
        st.badge(SIMULATED, color="orange")
    return served


def pair_selector(served: Pairs) -> str:
    """Select a pair by typing a part of its name.

    Raises:
        UnknownPairError: The address names another one.
    """
    names = [each.pair for each in served.pairs]
    read_address("pair", names, names[0])
    pair = st.selectbox("Pair", names, key="pair", format_func=pair_label, placeholder="Choose a pair")
    if pair is None:
        write_address("pair")
        message = f"{pair_label(st.query_params['pair'])} is not served here"
        raise UnknownPairError(message, "choose one of the list above", status=HTTPStatus.NOT_FOUND)
    return pair


def apply(message: str, method: str, path: str, **content: Any) -> NoReturn:
    """Change something through the API and rerun the page with a flash message; an error is shown instead."""
    with error_views.errors_shown():
        session.client().send(method, path, **content)
    forecasts.pairs.clear()  # It may have changed what is served.
    st.session_state[_FLASH] = message
    st.rerun()


def read_address(name: str, options: Sequence[Any], default: Any, unknown: Any = None) -> None:
    """Prepare the widget with the key ``name``; call it before the widget.

    Where a link, Back or Forward has changed the address, the widget takes its value, which is ``default`` where the
    address has none and ``unknown`` where it has none of the options; otherwise the widget keeps its own.
    """
    state, asked = st.session_state, st.query_params.get(name)
    state.setdefault(_FIELDS, {})[name] = (options, default)
    if asked != state.setdefault(_SEEN, {}).get(name) or state.get(name) not in options:
        state[name] = _parse(asked, options, default, unknown)
    else:
        state[name] = state[name]  # Streamlit forgets the state of a widget that another page shows.


def write_address(*names: str) -> None:
    """Write the values of widgets, except defaults, into the address; a change is an entry of the browser's history."""
    state, asked, defaults, changed = st.session_state, st.query_params.to_dict(), set(), {}
    for name in names:
        options, default = state[_FIELDS][name]
        if state[name] == default:
            defaults.add(name)
        if state[name] is not None and state[name] != _parse(asked.get(name), options, default, None):
            changed[name] = str(state[name])
    if changed:
        st.query_params.from_dict({name: text for name, text in (asked | changed).items() if name not in defaults})
    state[_SEEN] = {name: st.query_params.get(name) for name in {"pair", *names}}


def _parse(asked: str | None, options: Sequence[Any], default: Any, unknown: Any) -> Any:
    return default if asked is None else {str(option): option for option in options}.get(asked, unknown)
