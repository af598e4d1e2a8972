"""Faults on request: what goes wrong, how often, how many times, and what is answered instead."""

import random
import threading
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from make_us_rich.domain.errors import ParameterError
from make_us_rich.replay.protocol import Answer, RefusalError

KINDS: dict[str, str] = {
    "latency": "the answer comes late",
    "drop": "the connection is dropped without an answer",
    "451": "restricted location",
    "403": "refused by the firewall, as an HTML page",
    "418": "banned, with Retry-After",
    "429": "too many requests, with Retry-After",
    "5xx": "500, 502, 503 or 504, as HTML or JSON",
    "truncate": "half of the answer, then the connection is closed",
    "gaps": "this share of the candles is missing from answers, always the same ones",
    "unclosed": "the candle that is still open is the last one of an answer (1 by default)",
}
SERVER_ERRORS = ("500", "502", "503", "504")
REFUSALS = ("drop", "451", "403", "418", "429", *SERVER_ERRORS)
"""Kinds that take the place of the answer, with each status of ``5xx``; the first one that strikes is sent."""

_ADVICE = "Please use WebSocket Streams for live updates to avoid"
_WORDS = {
    "451": (
        0,
        "Service unavailable from a restricted location according to 'b. Eligibility' in"
        " https://www.binance.com/en/terms. Please contact customer service if you believe you received"
        " this message in error.",
    ),
    "500": (-1000, "An unknown error occurred while processing the request."),
    "504": (-1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown."),
}
"""Binance's code and words; the others are HTML pages."""


def refusal(kind: str, now: int, weight_limit: int, retry_after: int) -> Answer:
    """What is sent in place of the real answer; ``now`` (ms) and ``retry_after`` (s) make the end of a ban."""
    if kind in ("418", "429"):
        used = f"Too much request weight used; current limit is {weight_limit} request weight per 1 MINUTE."
        banned = f"Way too much request weight used; IP banned until {now + 1000 * retry_after}."
        message = f"{used} {_ADVICE} polling the API." if kind == "429" else f"{banned} {_ADVICE} bans."
        answer = RefusalError(-1003, message, int(kind)).answer()
        return replace(answer, headers={"Retry-After": str(retry_after)})
    if kind in _WORDS:
        return RefusalError(*_WORDS[kind], int(kind)).answer()
    status = HTTPStatus(int(kind))
    name = f"{status} {status.phrase}"
    text = f"<html><head><title>{name}</title></head><body><center><h1>{name}</h1></center></body></html>"
    return Answer(status, text.encode(), "text/html")


class Faults:
    """Rates of faults, drawn request by request from a seed.

    ``ping`` and ``time`` are spared unless ``everywhere`` is set, so that clients can start.

    Args:
        rates: Kind (see ``KINDS``) to rate, 0 to 1.
        times: Maximum number of requests that are hit, None for no limit; ``unclosed`` is not counted.
        seed: The same seed gives the same faults for the same sequence of requests.
        latency_seconds: Delay of an answer that ``latency`` hits.
        retry_after: Seconds in the ``Retry-After`` of 429 and 418.
        everywhere: Whether ``ping`` and ``time`` are hit, too.

    Raises:
        ParameterError: A kind is unknown, or a number is out of range.
    """

    def __init__(
        self,
        rates: Mapping[str, float] | None = None,
        *,
        times: int | None = None,
        seed: int = 0,
        latency_seconds: float = 2.0,
        retry_after: float = 1,
        everywhere: bool = False,
    ) -> None:
        self.rates = dict(rates or {})
        for kind, rate in self.rates.items():
            if kind not in KINDS:
                raise ParameterError(f"unknown fault {kind!r}", f"choose from {', '.join(KINDS)}")
            if not 0 <= rate <= 1:
                raise ParameterError(f"fault {kind}: rate {rate} is out of range", "give a number from 0 to 1")
        for name, value in (("latency_seconds", latency_seconds), ("retry_after", retry_after)):
            if not 0 <= value < float("inf"):
                raise ParameterError(f"{name} {value} is out of range", "give a number from 0 upwards")
        self.latency_seconds = latency_seconds
        self.retry_after = int(retry_after)
        self.everywhere = everywhere
        self._left = float("inf") if times is None else times
        self.seed = seed
        self._random = random.Random(seed)  # noqa: S311
        self._lock = threading.Lock()

    def draw(self, *, spared: bool = False) -> set[str]:
        """The kinds that strike the next request, with a status in place of ``5xx``; ``spared`` for ping and time.

        ``unclosed`` is among them where the candle that is still open is shown.
        """
        if spared and not self.everywhere:
            return {"unclosed"}
        with self._lock:
            struck = {kind for kind, rate in self.rates.items() if self._random.random() < rate}
            status = SERVER_ERRORS[int(self._random.random() * len(SERVER_ERRORS))]
            unclosed = {"unclosed"} & struck if "unclosed" in self.rates else {"unclosed"}
            struck -= {"unclosed"}
            struck |= {"gaps"} if self.rates.get("gaps") else set()
            struck = struck if self._left > 0 else set()
            self._left -= bool(struck)
        return unclosed | {status if kind == "5xx" else kind for kind in struck}
