"""The user's own account: the API token, the month, code to copy, logins."""

import streamlit as st

from interface import done, forecasts, frame, session, snippets, states
from interface.app_pages import welcome


def show() -> None:
    """The page."""
    user = session.user()
    frame.header("Account", "Your API token, what you have used of the month, and code to begin with.")
    done.tell()
    left, right = st.columns(2, gap="small")
    with left.container(border=True, height="stretch"):
        _token()
    with right.container(border=True, height="stretch"):
        st.subheader("This month")
        frame.meter(user)
        st.caption(
            "A forecast in this interface is one call for each pair and hour, however often you look."
            " Calls with your API token count against the same number."
        )
    with st.container(border=True):
        _code()
    with st.container(border=True):
        _logins()


def _token() -> None:
    st.subheader("API token")
    token = session.new_token()
    if token:
        welcome.show_token(token)
        st.button("I have kept it", on_click=session.put_token_away)
        return
    st.markdown(
        "It was shown to you once and is stored as a hash. Is it lost, or has somebody else seen it? Make another: the"
        " old one stops working at once."
    )
    with st.container(horizontal=True):
        if st.button("Make another token"):
            _rotate()
        if st.button("Have none"):
            _revoke()


@st.dialog("Make another API token?")
def _rotate() -> None:
    st.markdown("Programs that use the old one are refused until they have the new one.")
    if st.button("Make another", type="primary", key="rotate"):
        with states.told():
            session.keep_token(session.client().rotate_token())
        st.rerun()


@st.dialog("Have no API token?")
def _revoke() -> None:
    st.markdown(
        "Programs that use it are refused. This interface goes on working, and you can make another at any time."
    )
    if st.button("Yes, revoke it", type="primary", key="revoke"):
        done.do(session.client().revoke_token, "Your API token is revoked.")


def _code() -> None:
    st.subheader("Call the API")
    st.caption("Put your token into the variable MAKE_US_RICH_TOKEN first. Each call counts.")
    served = [each.pair for each in forecasts.pairs().pairs] or ["btc_usdt"]
    place = snippets.Place(session.settings().public_api_url, served[0])
    for tab, (_, text) in zip(st.tabs([name for name, _ in snippets.ALL]), snippets.ALL, strict=True):
        # Without a language: the colours of Streamlit's are too pale to be read by everybody.
        tab.code(snippets.fill(text, place), language=None, wrap_lines=True)


def _logins() -> None:
    st.subheader("Logins")
    st.markdown("A login lasts ten days in this browser. Log out here ends it in every tab of it.")
    if st.button("Log out on all devices"):
        with states.told():
            session.leave_everywhere()
        st.rerun()
