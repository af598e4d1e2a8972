"""What a position may gain or lose: exits at a stop and a target, value at risk, expected shortfall, contributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.forecast import TARGETS

Floats = NDArray[np.float64]
Side = Literal["long", "short"]

RISK_LEVELS = (0.95, 0.99)

CLOSE, HIGH, LOW = range(len(TARGETS))


@dataclass(frozen=True)
class Exits:
    """Probabilities of what comes first, 0 to 1; together 1."""

    target: float  # the target alone, or before the stop
    stop: float  # the stop alone, or before the target
    same_hour: float  # both within one hour, whose order is not known
    neither: float  # neither is reached


@dataclass(frozen=True)
class TailRisk:
    """Losses at a level, in quote currency; below 0 they are gains."""

    level: float  # such as 0.95
    value_at_risk: float  # loss that is not exceeded with this probability
    expected_shortfall: float  # mean loss where it is exceeded


@dataclass(frozen=True)
class Position:
    """So much of a coin, bought or sold short at the last close."""

    size: float  # in base currency, above 0
    side: Side = "long"  # ``long`` gains where the price rises, ``short`` where it falls
    stop: float | None = None  # price at which it is closed with a loss; None without one
    target: float | None = None  # price at which it is closed with a gain; None without one

    def check(self, last_close: float) -> None:
        """Refuse what cannot be.

        Raises:
            ParameterError: Stop or target are on the wrong side of the last close.
        """
        sign = 1 if self.side == "long" else -1
        for name, price, wanted in (("stop", self.stop, -sign), ("target", self.target, sign)):
            if price is not None and (price - last_close) * wanted <= 0:
                side = "above" if wanted > 0 else "below"
                raise ParameterError(
                    f"the {name} {price:.8g} of a {self.side} position is not {side} the last close, {last_close:.8g}",
                    f"choose a {name} {side} it",
                )


def _exit_hours(paths: Floats, position: Position) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First hour in which each path reaches the stop and the target, counted from 0; the number of hours if never."""
    rising, falling = (position.target, position.stop) if position.side == "long" else (position.stop, position.target)
    reached = (
        None if rising is None else paths[:, HIGH] >= rising,
        None if falling is None else paths[:, LOW] <= falling,
    )
    never = np.full(len(paths), paths.shape[2])
    up, down = (never if hit is None else np.where(hit.any(axis=1), hit.argmax(axis=1), never) for hit in reached)
    return (down, up) if position.side == "long" else (up, down)


def results(paths: Floats, last_close: float, position: Position) -> tuple[Floats, Exits]:
    """Gain of each path, in quote currency, below 0 for a loss, ``[scenario]``, and how often what comes first.

    The position is closed at the stop, at the target, or at the last close of the path. Where one hour reaches both,
    the stop is assumed. A stop is filled at its own price: slippage is not forecast.

    Args:
        paths: Prices, ``[scenario, target, horizon]``.
        last_close: At which the position is opened.
        position: Whose size, side, stop and target.
    """
    stop, target = _exit_hours(paths, position)
    hours = paths.shape[2]
    exits = Exits(
        target=float((target < stop).mean()),
        stop=float((stop < target).mean()),
        same_hour=float(((stop == target) & (stop < hours)).mean()),
        neither=float(((stop == hours) & (target == hours)).mean()),
    )
    price = paths[:, CLOSE, -1].copy()
    if position.target is not None:
        price[target < stop] = position.target
    if position.stop is not None:
        price[(stop <= target) & (stop < hours)] = position.stop
    sign = 1 if position.side == "long" else -1
    gains: Floats = sign * position.size * (price - last_close)
    return gains, exits


def tail_risk(gains: ArrayLike, level: float) -> TailRisk:
    """Value at risk and expected shortfall of equally likely gains, ``[scenario]``.

    The quantile is taken where the scenarios themselves are, at ``(rank + 0.5) / n``, so that the value at risk of a
    close is the quantile of the forecast. Expected shortfall: Acerbi and Tasche 2002, "On the Coherence of Expected
    Shortfall", Journal of Banking & Finance 26.
    """
    losses = np.sort(-np.asarray(gains, np.float64))
    beyond = max(round(len(losses) * (1 - level)), 1)
    at_risk = float(np.quantile(losses, level, method="hazen"))
    return TailRisk(level, at_risk, float(losses[-beyond:].mean()))


def shown_levels(scenarios: int) -> list[float]:
    """The levels whose risk is shown: those beyond which three or more of so many scenarios lie."""
    return [level for level in RISK_LEVELS if round(scenarios * (1 - level)) >= 3]


def contributions(gains: Mapping[str, Floats], level: float) -> dict[str, float]:
    """Share of each holding in the portfolio's expected shortfall, in quote currency; they add up to it.

    The mean loss of the holding where the portfolio loses most (Tasche 1999, "Risk Contributions and Performance
    Measurement").

    Args:
        gains: By holding, the same scenarios in each, ``[scenario]``.
        level: Such as 0.95.
    """
    total = np.sum(list(gains.values()), axis=0)
    worst = np.argsort(total, kind="stable")[: max(round(len(total) * (1 - level)), 1)]
    return {name: float(-each[worst].mean()) for name, each in gains.items()}
