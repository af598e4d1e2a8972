"""What a page shows where it cannot show what it is for: what is wrong, in plain words, and what to do about it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import streamlit as st

from interface import api_errors as errors
from interface import markup, session
from interface.times import in_words

AGAIN_SECONDS = 15
"""After so long a page whose trouble may pass tries again by itself."""

_STATE = """
<section class="mur-state mur-{tone}" role="status">
  <h2>{title}</h2>
  <p>{text}</p>
  <p class="mur-remedy">{remedy}</p>
  <p class="mur-detail">{detail}</p>
</section>
"""
_WAITING_SINCE = "waiting_since"


@dataclass(frozen=True)
class State:
    """One sentence of what is wrong, one of what to do.

    Attributes:
        title: What it is, in a few words.
        text: What is wrong.
        remedy: What to do.
        tone: ``wait``: it may pass by itself; ``stop``: somebody has to do something; ``calm``: nothing is wrong.
        detail: For whoever looks into the log.
    """

    title: str
    text: str
    remedy: str
    tone: str = "stop"
    detail: str = ""

    @property
    def may_pass(self) -> bool:
        """Whether trying again may help."""
        return self.tone == "wait"


def of_error(error: errors.ApiError) -> State:
    """The state for an answer of the API that is not what was asked for."""
    state = _state(error)
    is_told = isinstance(error, errors.BrokenError | errors.UnavailableError) and error.request_id
    detail = f"Request {error.request_id}" if is_told else ""
    return State(state.title, state.text, state.remedy, state.tone, detail)


def _state(error: errors.ApiError) -> State:
    return next(words(error) for kind, words in _WORDS if isinstance(error, kind))


def _unreachable(error: errors.ApiError) -> State:
    return State(
        "The API is not there",
        f"{_sentence(error.message)} Nothing is lost: your login and your forecasts are kept there.",
        f"This page tries again every {AGAIN_SECONDS} seconds. The operator starts it with make serve.",
        "wait",
    )


def _too_slow(_error: errors.ApiError) -> State:
    return State(
        "The API is slow",
        "It did not answer in time. It may be busy, or the way to it is.",
        f"This page tries again every {AGAIN_SECONDS} seconds.",
        "wait",
    )


def _unauthorized(error: errors.ApiError) -> State:
    if error.code == "wrong_password":
        return State("The password is wrong", "The name is known; its password is another.", "Check how it is written.")
    return State("Your login has ended", "It was over, or it was ended elsewhere.", "Log in again.")


def _forbidden(error: errors.ApiError) -> State:
    return State("This is for admins", _sentence(error.message), "Ask an admin to do it, or to give you the role.")


def _not_found(error: errors.ApiError) -> State:
    return State("Nothing of this name", _sentence(error.message), _sentence(error.remedy or "choose another"))


def _limited(error: errors.LimitedError) -> State:
    when = f"on {error.reset_at:%d %B at %H:%M} UTC" if error.reset_at else "later"
    if error.is_quota:
        all_of_them = f"All {error.limit:,} calls" if error.limit else "All calls"
        return State(
            "This month's calls are used up",
            f"{all_of_them} of your plan are made, in this interface and with your API token together.",
            f"They begin anew {when}. An admin can raise your limit.",
        )
    wait = in_words(error.reset_at - datetime.now(UTC)) if error.reset_at else "a while"
    return State(
        "Too many attempts",
        "To protect accounts, the number of tries is limited.",
        f"Try again in {wait}.",
    )


def _unavailable(error: errors.UnavailableError) -> State:
    if error.is_no_model:
        return State(
            "No forecast yet",
            _sentence(error.message),
            "A forecast appears here by itself once a model has been published: kedro run trains and publishes one.",
            "wait",
        )
    remedy = _sentence(error.remedy) if error.remedy else ""
    return State(
        "The API is up, but cannot answer this",
        _sentence(error.message),
        f"{remedy} This page tries again every {AGAIN_SECONDS} seconds.".strip(),
        "wait",
    )


def _refused(error: errors.ApiError) -> State:
    return State("That cannot be done", _sentence(error.message), _sentence(error.remedy))


def _other(error: errors.ApiError) -> State:
    return State(
        "Something went wrong",
        _sentence(error.message),
        "Try again. If it happens again, tell the operator what you did and the number below.",
    )


_WORDS: tuple[tuple[type[errors.ApiError], Callable[..., State]], ...] = (
    (errors.UnreachableError, _unreachable),
    (errors.TooSlowError, _too_slow),
    (errors.UnauthorizedError, _unauthorized),
    (errors.ForbiddenError, _forbidden),
    (errors.NotFoundError, _not_found),
    (errors.LimitedError, _limited),
    (errors.UnavailableError, _unavailable),
    (errors.RefusedError, _refused),
    (errors.ApiError, _other),
)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


BROKEN = State(
    "Something went wrong",
    "This page has a fault, and it has been written to the log.",
    "Reload the page. If it happens again, tell the operator what you did.",
)
"""For what nobody foresaw."""

NO_PAIRS = State(
    "No pairs yet",
    "The project is configured for no pair.",
    "Add one under pairs in conf/base/parameters.yml, and restart the API.",
    "calm",
)
"""For a page that has nothing to choose from."""


def show(state: State) -> None:
    """Show a state; where it may pass, the page tries again by itself, and at once when told to."""
    show_briefly(state)
    if state.may_pass:
        st.session_state[_WAITING_SINCE] = datetime.now(UTC)
        st.button("Try again now", type="primary", key="try-again")
        _try_again()


def show_briefly(state: State) -> None:
    """Show a state beside what can still be used."""
    markup.show(_STATE, **asdict(state))


@st.fragment(run_every=AGAIN_SECONDS)
def _try_again() -> None:
    since = st.session_state.get(_WAITING_SINCE)
    if since and datetime.now(UTC) - since > timedelta(seconds=AGAIN_SECONDS / 2):
        st.rerun()


def notice(text: str, remedy: str = "", tone: str = "wait") -> None:
    """One line above what a page shows all the same, such as that a forecast is old."""
    markup.show(
        '<p class="mur-notice mur-{tone}" role="status"><strong>{text}</strong> {remedy}</p>',
        tone=tone,
        text=text,
        remedy=remedy,
    )


@contextmanager
def told() -> Iterator[None]:
    """Show whatever the API refuses within, and end the page there."""
    try:
        yield
    except errors.UnauthorizedError:
        session.expire()
        st.rerun()
    except errors.ApiError as error:
        show(of_error(error))
        st.stop()
