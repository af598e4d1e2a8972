"""What a page shows instead of its content: what is wrong in plain words, and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import streamlit as st

from interface import session, ui
from interface.formatting import duration, sentence
from make_us_rich.client import ApiError, UnauthorizedError
from make_us_rich.domain.errors import ArtifactError, StorageError

_VIEW = """
<section class="mur-state mur-{tone}" role="status">
  <h2>{title}</h2>
  <p>{text}</p>
  <p class="mur-remedy">{remedy}</p>
  <p class="mur-detail">{detail}</p>
</section>
"""
_RETRY_SECONDS = 15
_RETRY = f"This page tries again every {_RETRY_SECONDS} seconds."
_RETRYING = "retrying"


@dataclass(frozen=True)
class ErrorView:
    """What is wrong, and what to do about it."""

    title: str
    text: str
    remedy: str
    tone: str = "stop"  # ``wait``: it may pass by itself; ``stop``: somebody has to act; ``calm``: nothing is wrong
    detail: str = ""  # for whoever reads the log


UNEXPECTED = ErrorView(
    "Something went wrong",
    "This page failed, and the error is in the log.",
    "Reload the page. If it happens again, report to the operator what you did.",
)


def of_error(error: ApiError | ArtifactError | StorageError) -> ErrorView:
    """The view of an error of the API or of the artifact store."""
    text, advice = sentence(error.message), sentence(error.remedy or "")
    if isinstance(error, StorageError):
        return ErrorView("The store does not answer", text, _RETRY, "wait")
    if isinstance(error, ArtifactError):
        return ErrorView("A record cannot be read", text, "The next run of the pair writes a new one.")
    logged = f"Request {error.request_id}" if error.request_id else ""
    match error.status, error.code:
        case None, "unreachable":
            text = "It does not answer. Your login is kept." if session.state().login_token else "It does not answer."
            return ErrorView("The API is not there", text, _RETRY, "wait")
        case None, "timeout":
            return ErrorView("The API is slow", "It did not respond within ten seconds.", _RETRY, "wait")
        case 401, "wrong_password":
            return ErrorView("The password is wrong", "The name is registered.", "Check how the password is spelt.")
        case 401, _:
            return ErrorView("Your login has ended", "It expired, or it was ended elsewhere.", "Log in again.")
        case 403, _:
            return ErrorView("This is for admins", text, "Ask an admin to do it, or to give you the role.")
        case 404, _:
            return ErrorView("Not found", text, advice or "Choose another one.")
        case 429, "quota_exceeded":
            text = f"All {error.limit or 0:,} calls of your plan are made, here and with your API token together."
            renewed = f"on {error.reset_at:%d %B at %H:%M} UTC" if error.reset_at else "later"
            remedy = f"New calls are available {renewed}. An admin can raise your limit."
            return ErrorView("This month's calls are used up", text, remedy)
        case 429, _:
            wait = duration(error.reset_at - datetime.now(UTC)) if error.reset_at else "a while"
            text = "The number of attempts is limited to protect accounts."
            return ErrorView("Too many attempts", text, f"Try again in {wait}.")
        case 503, "no_model" | "no_forecast":
            text = "The pair has no published model, or its candles are missing."
            return ErrorView("No forecast yet", text, "The forecast appears here by itself.", "wait")
        case 503, _:
            known = session.state().user
            remedy = f"{advice} {_RETRY}" if known and known.is_admin else _RETRY  # Members cannot follow the advice.
            return ErrorView("The API is up, but cannot answer this", text, remedy, "wait", logged)
        case ((400 | 409 | 413 | 422), _):
            return ErrorView("That cannot be done", text, advice)
    return replace(UNEXPECTED, text=text, detail=logged)


def show(view: ErrorView) -> None:
    """Show a view; where the trouble may pass, the page retries by itself and on demand."""
    ui.show(_VIEW, **asdict(view))
    if view.tone == "wait":
        st.session_state[_RETRYING] = False
        st.button("Try again now", type="primary", key="try-again")
        _retry()


def show_inline(view: ErrorView) -> None:
    """Show a view beside content that still works; the page does not retry."""
    ui.show(_VIEW, **asdict(replace(view, remedy=view.remedy.replace(_RETRY, "Try again in a moment."))))


@st.fragment(run_every=_RETRY_SECONDS)
def _retry() -> None:
    if st.session_state.get(_RETRYING):
        st.rerun()
    st.session_state[_RETRYING] = True  # The first run belongs to the page's own.


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show an error of the API or of the artifact store that is raised within, and end the page there."""
    try:
        yield
    except UnauthorizedError:
        session.expire()
        st.rerun()
    except (ApiError, ArtifactError, StorageError) as error:
        show(of_error(error))
        st.stop()
