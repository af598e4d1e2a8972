"""Misbehaviour on request: what goes wrong, how often, and how many times."""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from make_us_rich.domain.errors import ParameterError

KINDS: dict[str, str] = {
    "latency": "the answer comes late",
    "drop": "the connection is dropped without an answer",
    "451": "restricted location",
    "418": "banned, with Retry-After",
    "429": "too many requests, with Retry-After",
    "5xx": "500, 502, 503 or 504, as HTML or JSON",
    "truncate": "half of the answer, then the connection is closed",
    "gaps": "this share of the candles is missing from answers, always the same ones",
    "unclosed": "the candle that is still open is the last one of an answer (1 unless told)",
}
REFUSALS = ("drop", "451", "418", "429", "5xx")
"""Kinds that take the place of the answer; the first one that strikes is sent."""


@dataclass(frozen=True)
class Plan:
    """What happens to one request.

    Attributes:
        latency: Seconds to wait before the answer.
        refusal: The kind that takes the place of the answer, or None.
        truncate: Whether only half of the answer is sent.
        gaps: Share of the candles left out, 0 to 1.
        unclosed: Whether the candle that is still open is shown.
        seed: Decides which candles are left out and which 5xx is sent.
        retry_after: Seconds that 429 and 418 name.
        choice: A number in [0, 1) that picks among several answers of a kind.
    """

    latency: float = 0.0
    refusal: str | None = None
    truncate: bool = False
    gaps: float = 0.0
    unclosed: bool = True
    seed: int = 0
    retry_after: int = 1
    choice: float = 0.0


class Faults:
    """Rates of misbehaviour, drawn request by request from a seed.

    ``ping`` and ``time`` are spared unless ``everywhere`` is set, so that clients can start.

    Args:
        rates: Kind (see ``KINDS``) to rate, 0 to 1.
        times: Requests that are hit at most, None for no limit; ``unclosed`` is not counted.
        seed: The same seed gives the same faults for the same requests in a row.
        latency_seconds: How late ``latency`` makes an answer.
        retry_after: Seconds that 429 and 418 tell the client to wait.
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
        retry_after: int = 1,
        everywhere: bool = False,
    ) -> None:
        self.rates = {kind: _rate(kind, rate) for kind, rate in (rates or {}).items()}
        self.latency_seconds = _not_negative("latency_seconds", latency_seconds)
        self.retry_after = int(_not_negative("retry_after", retry_after))
        self.everywhere = everywhere
        self._left = None if times is None else int(_not_negative("times", times))
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311
        self._lock = threading.Lock()

    def plan(self, *, spared: bool = False) -> Plan:
        """Draw what happens to the next request; ``spared`` for ``ping`` and ``time``."""
        if spared and not self.everywhere:
            return Plan()
        with self._lock:
            struck = {kind for kind, rate in self.rates.items() if self._random.random() < rate}
            choice = self._random.random()
            unclosed = "unclosed" in struck or "unclosed" not in self.rates
            return self._plan(self._counted(struck - {"unclosed"}), unclosed, choice)

    def _counted(self, struck: set[str]) -> set[str]:
        if self.rates.get("gaps"):
            struck = struck | {"gaps"}
        if self._left is None or not struck:
            return struck
        if self._left == 0:
            return set()
        self._left -= 1
        return struck

    def _plan(self, struck: set[str], unclosed: bool, choice: float) -> Plan:
        return Plan(
            latency=self.latency_seconds if "latency" in struck else 0.0,
            refusal=next((kind for kind in REFUSALS if kind in struck), None),
            truncate="truncate" in struck,
            gaps=self.rates["gaps"] if "gaps" in struck else 0.0,
            unclosed=unclosed,
            seed=self._seed,
            retry_after=self.retry_after,
            choice=choice,
        )


def _rate(kind: str, rate: float) -> float:
    if kind not in KINDS:
        raise ParameterError(f"unknown fault {kind!r}; choose from {', '.join(KINDS)}")
    if not 0 <= rate <= 1:
        raise ParameterError(f"fault {kind}: rate {rate} is out of range; give a number from 0 to 1")
    return rate


def _not_negative(name: str, value: float) -> float:
    if not 0 <= value < float("inf"):
        raise ParameterError(f"{name} {value} is out of range; give a number from 0 upwards")
    return value
