"""From the API's answers to a stop, a target and a stake; without freqtrade."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

HOURS = 24
"""A position is held no longer, 1 to 24."""
TOUCH = 0.1
"""Probability with which the price touches the stop within ``HOURS``, and that of the target."""


@dataclass(frozen=True)
class Plan:
    """What the forecast issued at an hour (UTC) says of buying at its last close; prices in quote currency.

    ``shortfall`` is the mean loss of one coin in the worst 5 % of cases, ``stop_first`` and ``target_first`` are the
    probabilities of what is reached first; both in one hour count as the stop.
    """

    issued_at: datetime
    price: float
    stop: float
    target: float
    shortfall: float
    stop_first: float
    target_first: float

    def stake(self, budget: float) -> float:
        """Value of a position that loses ``budget`` on average in the worst 5 % of cases, both in quote currency."""
        return budget / self.shortfall * self.price


def make_plan(api: Any, pair: str, issued_at: datetime) -> Plan | None:
    """Make a plan of three answers; None unless the API has the forecast of this hour.

    Args:
        api: A `make_us_rich.client.Client`, or what answers as it does.
        pair: Such as ``btc_usdt``.
        issued_at: The full hour that has just begun, UTC.
    """
    low = api.quantiles(pair, TOUCH, "low")
    if low.issued_at != issued_at:
        return None
    high = api.quantiles(pair, 1 - TOUCH, "high")
    stop, target = (answer.quantiles[HOURS - 1][0] for answer in (low, high))
    risk = api.risk(pair, hours=HOURS, stop=stop, target=target)
    shortfall, exits = risk.tail[0].expected_shortfall, risk.exits
    return Plan(issued_at, risk.last_close, stop, target, shortfall, exits.stop + exits.same_hour, exits.target)
