"""HAR-V as each training window would have been forecast by a fit that had not seen it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from make_us_rich.models.har import fit_line, last_rows, log_volatility

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from make_us_rich.features.windows import Windows
    from make_us_rich.models.corrected_har import CorrectedHar


@dataclass(frozen=True)
class Shares:
    """Who learns from which window, and who is stopped on it.

    Attributes:
        held: Held out by the member, ``[window, member]``; every window by exactly one.
        learned: Learned from by the member: not held out, and no target in common with one that is.
    """

    held: NDArray[np.bool_]
    learned: NDArray[np.bool_]


def share_out(windows: Windows, recipe: CorrectedHar) -> Shares:
    """Stretches of the calendar in turn, so that the next fit, too, holds a window out from the same member.

    A member that went on from its old weights would otherwise be stopped on what those weights had learned.
    """
    hours = windows.timestamps[windows.origins].astype("datetime64[h]").astype(np.int64)
    members = np.arange(recipe.members)

    def holds(at: NDArray[np.int64]) -> NDArray[np.bool_]:
        mask: NDArray[np.bool_] = (at // recipe.stretch_hours % recipe.members)[:, None] == members
        return mask

    held = holds(hours)
    return Shares(held, ~(held | holds(hours - windows.horizon) | holds(hours + windows.horizon)))


def ratios_out_of_fit(windows: Windows, shares: Shares) -> NDArray[np.float64]:
    """Returns over the volatility of a fit on what the holder of each window learns from, ``[window, horizon]``.

    Of a fit on all windows the errors are too small, and a correction learned from them would not be needed.
    """
    inputs, sigma = last_rows(windows), np.empty_like(windows.targets())
    for held, learned in zip(shares.held.T, shares.learned.T, strict=True):
        # A market so young that one stretch is all there is has nothing else to learn from.
        rows = learned if learned.any() else held
        if held.any():
            targets = log_volatility(windows.at(windows.origins[rows]))
            sigma[held] = np.exp(fit_line(inputs[rows], targets).log_sigma(inputs[held]))
    ratios: NDArray[np.float64] = windows.targets() / sigma
    return ratios
