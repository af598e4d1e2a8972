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

_FLASH = "flash"
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
        remedy = "An operator adds pairs to the project's parameters."
        error_views.show(error_views.ErrorView("No pairs yet", "No pair is configured.", remedy, "calm"))
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
    bound = bind("pair", names, names[0], strict=True)
    pair: str | None = st.selectbox("Pair", names, format_func=pair_label, placeholder="Choose a pair", **bound)
    if pair is None:
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


def bind(name: str, options: Sequence[Any], default: Any, *, strict: bool = False) -> dict[str, Any]:
    """Arguments of a widget whose value is in the address, unless it is ``default``.

    Where the address has none of the options, ``default`` is selected, or nothing if ``strict``. Streamlit's own
    binding would not make a change an entry of the browser's history.
    """
    values: dict[str | None, Any] = {None: default, **{str(option): option for option in options}}
    st.session_state[name] = values.get(st.query_params.get(name), None if strict else default)
    return {"key": name, "on_change": _write_address, "args": (name, default)}


def _write_address(name: str, default: Any) -> None:
    if st.session_state[name] == default:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = str(st.session_state[name])
