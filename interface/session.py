"""Who sits in front of the browser; one user at a time, and nothing of the one before."""

import secrets
from contextlib import suppress
from functools import cache

import streamlit as st

from interface import browser
from interface.api_answers import Login, Usage
from interface.api_client import ApiClient
from interface.api_errors import UnauthorizedError
from interface.cookie import NAME, TICKETS
from interface.settings import Settings

_TOKEN = "login_token"  # noqa: S105
_USER = "user"
_ERRAND = "errand"
_METER = "on_the_meter"
_ENDED = "login_ended"
_NEW_TOKEN = "new_api_token"  # noqa: S105
_JUST_REGISTERED = "just_registered"


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings.read()


@cache
def _anybody(url: str) -> ApiClient:
    return ApiClient.at(url)


def client() -> ApiClient:
    """The API, asked by the user of this session; by nobody before a login."""
    anybody, token = _anybody(settings().api_url).for_address(st.context.ip_address), _token()
    return anybody.as_user(token) if token else anybody


def user() -> Usage:
    """Who is logged in; a page is only run for somebody who is."""
    known: Usage = st.session_state[_USER]
    return known


def meter_is_old() -> bool:
    """Whether calls have been charged since the meter was drawn; never in the run that draws it."""
    drawn: Usage | None = st.session_state.get(_METER)
    return drawn is not None and drawn != user()


def meter_is_drawn() -> None:
    """The meter shows what is known to be used."""
    st.session_state[_METER] = user()


def meter_is_missing() -> None:
    """A run begins, which draws the meter."""
    st.session_state[_METER] = None


def count_a_call() -> None:
    """A call has been charged since the API was asked what is used."""
    st.session_state[_USER] = user().after_a_call()


def recognise() -> Usage | None:
    """Ask the API who is logged in; none where nobody is.

    Raises:
        ApiError: The API does not say.
    """
    if _token() is None:
        return None
    try:
        found = client().me()
    except UnauthorizedError:
        expire()
        return None
    _change_to(found)
    return found


def last_known() -> Usage | None:
    """Who was logged in when the API last answered."""
    known: Usage | None = st.session_state.get(_USER)
    return known


def enter(login: Login) -> None:
    """Somebody has logged in: here, and by the cookie in every tab for as long as the login lasts."""
    _clear()
    st.session_state[_NEW_TOKEN] = login.api_token
    st.session_state[_JUST_REGISTERED] = login.api_token is not None
    st.session_state[_TOKEN] = login.login_token
    st.session_state[_ERRAND] = ("keep", TICKETS.issue(login.login_token, login.expires_at))


def leave() -> None:
    """Log out: the login ends in the API, and so in every tab.

    Raises:
        ApiError: The API did not hear of it, so the login goes on.
    """
    with suppress(UnauthorizedError):  # Where it had ended already.
        client().log_out()
    _forget(ended=False)


def leave_everywhere() -> None:
    """End every login of the user, on every device.

    Raises:
        ApiError: The API did not hear of it.
    """
    client().log_out_everywhere()
    _forget(ended=False)


def expire() -> None:
    """The API does not take the login any more: forget who it was."""
    _forget(ended=True)


def has_ended() -> bool:
    """Whether a login has just ended on its own or elsewhere."""
    return bool(st.session_state.get(_ENDED))


def new_token() -> str | None:
    """The API token that has just been made, until the user has put it away."""
    token: str | None = st.session_state.get(_NEW_TOKEN)
    return token


def keep_token(token: str) -> None:
    """Show a new API token until it is put away."""
    st.session_state[_NEW_TOKEN] = token


def put_token_away() -> None:
    """The user has kept the new API token: nothing here remembers it."""
    st.session_state[_NEW_TOKEN] = None
    st.session_state[_JUST_REGISTERED] = False


def has_just_registered() -> bool:
    """Whether the first API token is still to be put away."""
    return bool(st.session_state.get(_JUST_REGISTERED))


def run_errand() -> None:
    """Let the browser keep or drop the cookie, as the last log-in or log-out wants it."""
    what, ticket = st.session_state.get(_ERRAND, ("", ""))
    if what:
        (browser.keep_login if what == "keep" else browser.forget_login)(ticket)


def _token() -> str | None:
    if _TOKEN not in st.session_state:
        st.session_state[_TOKEN] = st.context.cookies.get(NAME)
    token: str | None = st.session_state[_TOKEN]
    return token


def _change_to(found: Usage) -> None:
    known = last_known()
    if known is not None and known.name != found.name:
        token = _token()
        _clear()
        st.session_state[_TOKEN] = token
    st.session_state[_USER] = found


def _forget(*, ended: bool) -> None:
    _clear()
    st.session_state[_TOKEN] = None  # Not the cookie that this connection began with.
    st.session_state[_ERRAND] = ("forget", secrets.token_urlsafe(8))
    st.session_state[_ENDED] = ended


def _clear() -> None:
    for key in list(st.session_state):
        del st.session_state[key]
