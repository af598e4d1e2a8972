"""What stands around every page: the name, the style, the header, and who is logged in."""

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from interface import markup, session, states
from interface.api_answers import Usage

_HERE = Path(__file__).parent
_LOGO = str(_HERE / "logo.svg")
_WHO = '<p class="mur-who"><strong>{name}</strong><span>{roles}</span></p>'
_ABOUT = "Calibrated forecasts of hourly crypto prices, with the naive forecast always beside them. No advice."


def dress() -> None:
    """The window's title, the name and the style; the first thing that a run does."""
    st.set_page_config("Make Us Rich", _LOGO, "wide", menu_items={"About": _ABOUT})
    st.html(_HERE / "style.css")
    st.logo(_LOGO, size="large")


def header(title: str, about: str = "") -> None:
    """A page's title and one line of what it shows."""
    st.html(markup.fill('<div class="mur-header"><h1>{title}</h1><p>{about}</p></div>', title=title, about=about))


def sidebar(user: Usage) -> DeltaGenerator:
    """Who is logged in, what is left of the month, and the way out; returns the place of the meter."""
    with st.sidebar, st.container(key="who"):
        markup.show(_WHO, name=user.name, roles="Admin" if user.is_admin else "Member")
        place = st.empty()
        with place:
            meter(user)
        if st.button("Log out", key="log-out", width="stretch"):
            with states.told():
                session.leave()
            st.rerun()
    return place


def meter(user: Usage, note: str = "") -> None:
    """Calls used of the month's."""
    share = user.used / user.limit if user.limit else 1.0
    markup.show(
        '<div class="mur-meter mur-{tone}" role="img" aria-label="{used} of {limit} calls used">'
        '<div class="mur-figures"><span>{used} of {limit} calls</span><span>{left} left</span></div>'
        '<div class="mur-track"><div class="mur-bar" style="width: {width}%"></div></div><p>{note}</p></div>',
        tone="stop" if user.remaining == 0 else "wait" if share >= 0.9 else "calm",
        used=f"{user.used:,}",
        limit=f"{user.limit:,}",
        left=f"{user.remaining:,}",
        width=round(100 * min(1.0, share), 1),
        note=note or f"Begins anew on {user.reset_at:%d %B %Y}",
    )
