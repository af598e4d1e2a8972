"""A distribution given by its quantiles: the quantile of any level, the probability of a price, and of a touch.

Between two levels the log return is linear in the level's normal score, the standard normal quantile of that level. So
a normal distribution is exact, and the tails are far less angular than with straight lines in the level itself. Beyond
the outermost levels nothing is known: a level is refused there, and a probability is a bound.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import erf, sqrt
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from make_us_rich.domain.errors import ParameterError

Floats = NDArray[np.float64]
Bound = Literal["below", "above"] | None
"""Where the true probability lies of one that is only bounded; None where it is the value."""

_NORMAL = NormalDist()
_erf = np.frompyfunc(erf, 1, 1)
_BOUNDS: dict[int, Bound] = {-1: "below", 0: None, 1: "above"}


class Probability(NamedTuple):
    """A probability, 0 to 1, or its bound: the outermost level, beyond which the true one lies."""

    value: float
    bound: Bound = None


class Probabilities(NamedTuple):
    """Probabilities, and where the true ones lie: -1 below the value, 0 at it, 1 above it; of the same shape."""

    value: Floats
    bound: NDArray[np.int8]

    def at(self, *index: int) -> Probability:
        """The probability at an index; without an index the only one."""
        return Probability(float(self.value[index]), _BOUNDS[int(self.bound[index])])


@lru_cache(maxsize=16)
def normal_scores(levels: tuple[float, ...]) -> Floats:
    """Standard normal quantile of each level in (0, 1), ``[level]``; read-only."""
    scores = np.array([_NORMAL.inv_cdf(level) for level in levels])
    scores.flags.writeable = False
    return scores


def interpolate(quantiles: ArrayLike, levels: Sequence[float], scores: ArrayLike) -> Floats:
    """Quantiles at normal scores; beyond the outermost levels the line through the two outermost goes on.

    Args:
        quantiles: Not descending along ``level``, ``[..., level]``.
        levels: Two or more in (0, 1), ascending, ``[level]``.
        scores: Normal scores of the wanted levels, ``[...score]``.

    Returns:
        In the unit of the quantiles, not descending along the scores, ``[..., ...score]``.
    """
    given, known, wanted = np.asarray(quantiles, np.float64), normal_scores(tuple(levels)), np.asarray(scores)
    lower = np.clip(np.searchsorted(known, wanted, side="right") - 1, 0, len(known) - 2)
    share = (wanted - known[lower]) / (known[lower + 1] - known[lower])
    start = given[..., lower]
    values: Floats = start + share * (given[..., lower + 1] - start)
    return values


def quantile(quantiles: ArrayLike, levels: Sequence[float], probability: ArrayLike) -> Floats:
    """The value that the outcome stays at or below with a probability.

    Args:
        quantiles: Not descending along ``level``, ``[..., level]``.
        levels: Ascending, ``[level]``.
        probability: One or several, between the outermost levels, ``[...probability]``.

    Returns:
        In the unit of the quantiles, ``[..., ...probability]``.

    Raises:
        ParameterError: A probability lies beyond the outermost levels.
    """
    wanted = np.asarray(probability, np.float64)
    if not ((wanted >= levels[0]) & (wanted <= levels[-1])).all():
        raise ParameterError(
            f"no quantile of level {wanted.tolist()}", f"choose a level from {levels[0]} to {levels[-1]}"
        )
    scores = normal_scores(tuple(wanted.ravel().tolist())).reshape(wanted.shape)
    return interpolate(quantiles, levels, scores)


def probability_below(quantiles: ArrayLike, levels: Sequence[float], value: ArrayLike) -> Probabilities:
    """Probability that the outcome is at or below a value, the inverse of `quantile`.

    A value that several quantiles share has the probability of the highest of them.

    Args:
        quantiles: Not descending along ``level``, ``[..., level]``.
        levels: Ascending, ``[level]``.
        value: In the unit of the quantiles, ``[...]``; both are broadcast.

    Returns:
        ``[...]``; a value beyond the outermost quantiles has the outermost level as its bound.

    Raises:
        ParameterError: A value is not a number.
    """
    given, known, wanted = np.asarray(quantiles, np.float64), normal_scores(tuple(levels)), np.asarray(value)
    if np.isnan(wanted).any():
        raise ParameterError("a value is not a number", "pass log returns")
    bound = (wanted > given[..., -1]).astype(np.int8) - (wanted < given[..., 0])
    inside = np.clip(wanted, given[..., 0], given[..., -1])
    given = np.broadcast_to(given, (*inside.shape, len(known)))
    lower = np.minimum((given <= inside[..., None]).sum(axis=-1) - 1, len(known) - 2)
    start, end = (np.take_along_axis(given, at[..., None], axis=-1)[..., 0] for at in (lower, lower + 1))
    # Only quantiles that end in a tie have no width here: the value is theirs, and the level the last.
    tied = end == start
    share = np.where(tied, 1.0, (inside - start) / np.where(tied, 1.0, end - start))
    scores = known[lower] + share * (known[lower + 1] - known[lower])
    # The normal distribution function, in a third of the time of NormalDist's.
    inner = np.clip(0.5 * (1 + np.asarray(_erf(scores / sqrt(2)), np.float64)), levels[0], levels[-1])
    return Probabilities(np.select([bound < 0, bound > 0], [levels[0], levels[-1]], inner), np.asarray(bound))


def probability_above(quantiles: ArrayLike, levels: Sequence[float], value: ArrayLike) -> Probabilities:
    """Probability that the outcome is at or above a value; the rest as in `probability_below`.

    A value that several quantiles share has the probability of the lowest of them.
    """
    mirrored = tuple(round(1 - level, 12) for level in reversed(levels))
    return probability_below(-np.asarray(quantiles)[..., ::-1], mirrored, -np.asarray(value))


def probability_of_touch(high: ArrayLike, low: ArrayLike, levels: Sequence[float], value: ArrayLike) -> Probabilities:
    """Probability that a price is traded before the horizon ends.

    A price above the last close is touched if the running high reaches it, one below if the running low does; the last
    close itself is certain.

    Args:
        high: Quantiles of the running high, log returns of 0 or more, ``[..., level]``.
        low: Of the running low, log returns of 0 or less, ``[..., level]``.
        levels: Ascending, ``[level]``.
        value: Log return from the last close to the price, ``[...]``; broadcast with the quantiles.

    Raises:
        ParameterError: A value is not a number.
    """
    up, down = probability_above(high, levels, value), probability_below(low, levels, value)
    sign = np.sign(value)
    return Probabilities(
        np.select([sign > 0, sign < 0], [up.value, down.value], 1.0),
        np.select([sign > 0, sign < 0], [up.bound, down.bound], np.int8(0)),
    )
