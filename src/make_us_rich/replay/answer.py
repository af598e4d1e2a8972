"""What goes back over the wire, and the answers that misbehaviour gives."""

import json
from dataclasses import dataclass, field, replace

from make_us_rich.replay.faults import Plan
from make_us_rich.replay.protocol import RefusalError

JSON = "application/json;charset=UTF-8"
HTML = "text/html"
_RESTRICTED = (
    "Service unavailable from a restricted location according to 'b. Eligibility' in"
    " https://www.binance.com/en/terms. Please contact customer service if you believe you received"
    " this message in error."
)
_ADVICE = "Please use WebSocket Streams for live updates to avoid"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: The HTTP status.
        body: The content.
        content_type: Its type.
        headers: Headers of this answer alone.
        truncate: Whether to send half of the body and close the connection.
    """

    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    truncate: bool = False

    @classmethod
    def of(cls, content: object) -> "Answer":
        """A good answer of anything that JSON can hold."""
        return cls(200, json.dumps(content, separators=(",", ":")).encode())

    @classmethod
    def refused(cls, refusal: RefusalError) -> "Answer":
        """Binance's error answer."""
        return cls(refusal.status, refusal.body())

    def halved(self) -> "Answer":
        """The same answer, cut off in the middle."""
        return replace(self, truncate=True)


def not_found() -> Answer:
    """No such path."""
    return Answer(404, b"<html><body><h2>404 Not found</h2></body></html>", HTML)


def too_heavy(limit: int, retry_after: int) -> Answer:
    """429: more weight than a minute allows; ``retry_after`` in seconds."""
    used = f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE."
    message = f"{used} {_ADVICE} polling the API."
    return _waiting(429, message, retry_after)


def misbehaviour(plan: Plan, now: int, weight_limit: int) -> Answer:
    """The answer of a fault that takes the place of the real one, at virtual time ``now`` in milliseconds."""
    if plan.refusal == "451":
        return Answer.refused(RefusalError(0, _RESTRICTED, 451))
    if plan.refusal == "429":
        return too_heavy(weight_limit, plan.retry_after)
    if plan.refusal == "418":
        until = now + 1000 * plan.retry_after
        message = f"Way too much request weight used; IP banned until {until}. {_ADVICE} bans."
        return _waiting(418, message, plan.retry_after)
    return _SERVER_ERRORS[int(plan.choice * len(_SERVER_ERRORS))]


def _waiting(status: int, message: str, retry_after: int) -> Answer:
    return replace(
        Answer.refused(RefusalError(-1003, message, status)),
        headers={"Retry-After": str(retry_after)},
    )


def _page(status: int, title: str) -> Answer:
    name = f"{status} {title}"
    text = f"<html><head><title>{name}</title></head><body><center><h1>{name}</h1></center></body></html>"
    return Answer(status, text.encode(), HTML)


_UNKNOWN = "An unknown error occurred while processing the request."
_TIMEOUT = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
_SERVER_ERRORS = (
    Answer.refused(RefusalError(-1000, _UNKNOWN, 500)),
    _page(502, "Bad Gateway"),
    _page(503, "Service Temporarily Unavailable"),
    Answer.refused(RefusalError(-1007, _TIMEOUT, 504)),
)
