"""Scenarios: joint paths of close, running high and running low, from a forecast's quantiles and past ranks.

The Schaake shuffle (Clark et al. 2004, "The Schaake Shuffle", Journal of Hydrometeorology 5): a scenario takes, from
each target's and horizon's quantile function, the rank that one past origin had there. So the quantiles stay the
forecast's, and the dependence between hours, targets, and pairs (on the same origins) is history's.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from make_us_rich.domain.distribution import Floats, interpolate, normal_scores
from make_us_rich.domain.errors import ArtifactError, DataError

Ranks = NDArray[np.uint16]
"""``[scenario, target, horizon]``, each column a permutation of 0 to n - 1; targets are close, high and low."""


@dataclass(frozen=True)
class ScenarioRanks:
    """Ranks of past origins, an artifact of a version.

    Attributes:
        opens: Open time of each origin's candle, UTC, ascending, ``[scenario]``.
        ranks: Of what came true after it, among all of them.
        widths: Of the 80 % interval of the closes that was forecast there, log return, ``[scenario, horizon]``.
    """

    opens: NDArray[np.datetime64]
    ranks: Ranks
    widths: NDArray[np.float32]

    def to_bytes(self) -> bytes:
        """As a compressed npz archive, without pickle; the same bytes for the same ranks."""
        file = io.BytesIO()
        np.savez_compressed(file, opens=self.opens.astype("datetime64[ms]"), ranks=self.ranks, widths=self.widths)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> ScenarioRanks:
        """Read what `to_bytes` wrote, for the pair or file of that name.

        Raises:
            ArtifactError: It is something else, or damaged.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                opens, ranks, widths = archive["opens"], archive["ranks"], archive["widths"]
        except (BadZipFile, EOFError, KeyError, OSError, TypeError, ValueError, zlib.error) as exc:
            raise _damaged(name, str(exc)) from exc
        if ranks.dtype != np.uint16 or ranks.ndim != 3 or ranks.shape[1] != 3 or opens.shape != ranks.shape[:1]:
            raise _damaged(name, f"ranks are {ranks.dtype} {ranks.shape}, opens {opens.shape}")
        if opens.dtype != "datetime64[ms]" or not (np.diff(opens) > np.timedelta64(0)).all():
            raise _damaged(name, "opens are not ascending times in milliseconds")
        if not (np.sort(ranks, axis=0) == np.arange(len(ranks))[:, None, None]).all():
            raise _damaged(name, "a column is not a permutation")
        if widths.shape != (len(ranks), ranks.shape[2]):
            raise _damaged(name, f"widths are {widths.shape}")
        return cls(opens, ranks, widths)


def grid_rows(opens: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Mask of the origins at every eighth UTC hour of the last 333 days, 1,000 at most, ``[row]``.

    The grid is the same for all pairs. Opens are ascending, UTC, ``[row]``.
    """
    hours = opens.astype("datetime64[h]")
    rows: NDArray[np.bool_] = (opens == hours) & (hours.astype(np.int64) % 8 == 0)
    if rows.any():
        rows &= opens >= opens[rows][-1] - np.timedelta64(333, "D")
    return rows


def scenario_ranks(outcomes: ArrayLike, scales: ArrayLike, seed: int) -> Ranks:
    """Rank what came true, in units of the volatility that was forecast, within each target and horizon.

    Args:
        outcomes: Log returns of close, running high and running low, ``[window, 3, horizon]``.
        scales: Volatility that was forecast, above 0, ``[window, horizon]``.
        seed: Of the draw that breaks ties.

    Raises:
        DataError: Something is not finite, a scale is not above 0, or there are more windows than a rank can count.
    """
    moves, sigmas = np.asarray(outcomes, np.float64), np.asarray(scales, np.float64)
    if (
        len(moves) > np.iinfo(np.uint16).max
        or not np.isfinite(moves).all()
        or not ((sigmas > 0) & (sigmas < np.inf)).all()
    ):
        raise DataError(f"{len(moves)} outcomes cannot be ranked", "pass finite returns, scales above 0, few windows")
    standardised = moves / sigmas[:, None]
    draws = np.random.default_rng(seed).random(standardised.shape)
    return np.lexsort((draws, standardised), axis=0).argsort(axis=0).astype(np.uint16)


def align_ranks(pairs: Sequence[ScenarioRanks]) -> tuple[ScenarioRanks, ...]:
    """The origins that all pairs have, ranked anew among themselves, so that equal rows are the same hour.

    Raises:
        DataError: The pairs have no origin in common.
    """
    opens = reduce(np.intersect1d, [pair.opens for pair in pairs])
    if not len(opens):
        raise DataError("the pairs have no past origin in common", "run them again")
    common = []
    for pair in pairs:
        rows = np.isin(pair.opens, opens)
        ranks = pair.ranks[rows].argsort(axis=0).argsort(axis=0).astype(np.uint16)
        common.append(ScenarioRanks(opens, ranks, pair.widths[rows]))
    return tuple(common)


def scenarios(quantiles: ArrayLike, levels: Sequence[float], ranks: Ranks) -> Floats:
    """Joint paths: the quantile functions at ``(rank + 0.5) / n``.

    Beyond the outermost levels, where 1 % of the paths lie, the line through the two outermost quantiles goes on in
    normal scores, as a normal tail of their width would: a path must be somewhere, and all of them at the outermost
    quantile would make the tail end there. Highs and lows then never retreat and contain the path, which lifts them
    above their quantiles a little.

    Args:
        quantiles: Log returns, ``[..., target, horizon, level]``.
        levels: Ascending, ``[level]``.
        ranks: ``[scenario, target, horizon]``.

    Returns:
        Log returns from the last close, ``[..., scenario, target, horizon]``.
    """
    midpoints = (np.arange(len(ranks)) + 0.5) / len(ranks)
    table = interpolate(quantiles, levels, normal_scores(tuple(midpoints.tolist())))
    picks = np.moveaxis(ranks, 0, -1).astype(np.intp)
    drawn = np.take_along_axis(table, picks[(None,) * (table.ndim - picks.ndim)], axis=-1)
    close, high, low = np.moveaxis(drawn, -3, 0)
    high = np.maximum.accumulate(np.maximum(high, close).clip(min=0), axis=-2)
    low = np.minimum.accumulate(np.minimum(low, close).clip(max=0), axis=-2)
    return np.moveaxis(np.stack([close, high, low], axis=-3), -1, -3)


def _damaged(name: str, reason: str) -> ArtifactError:
    return ArtifactError(f"{name}: the scenario ranks are damaged ({reason})", "run the pair again")
